// The node's customer routes. One Conversation is one session; its token lives in this object and nowhere else.
// Not here: anything about the page.

import * as connection from "./connection.js";
import { follow } from "./follow.js";
import { events } from "./sse.js";

const BASE = "/api/v1/sessions";
// A wipe that did not arrive is tried again; the node forgets by itself when the session runs out.
const WIPE_RETRIES_MS = [2_000, 10_000, 30_000];
// The node is told that somebody is there at most so often. It hears of the last sign of life, if so much later.
const ALIVE_EVERY_MS = 10_000;

// What went wrong, as the node said it (RFC 9457), or code "offline" or "cut" when the node said nothing.
export class Problem extends Error {
  constructor(body, status = 0, retryAfterS = null) {
    super(body.code ?? "unknown");
    Object.assign(this, { code: "unknown", title: "", detail: "", remedy: "", ...body, status, retryAfterS });
  }

  get sessionGone() {
    return this.status === 401 || this.code === "session_not_found" || this.code === "notice_required";
  }
}

export class Conversation {
  #id;
  #token;
  #aborter = new AbortController();
  #aliveAt = performance.now();
  #aliveTimer = null;

  constructor(opened) {
    this.#id = opened.session_id;
    this.#token = opened.token;
    this.notice = opened.notice;
    this.languages = opened.languages ?? [];
    this.overflow = undefined; // whether help from outside is permitted
  }

  static async open(channel, locale) {
    const response = await send(BASE, { method: "POST", body: { channel, locale } });
    return new Conversation(await response.json());
  }

  // Again: a change of mind, which holds for the next question. Left out: nobody was asked.
  async consent(overflow) {
    await this.#send("POST", "/consent", { notice_version: this.notice.version, overflow });
    this.overflow = overflow;
  }

  // A sign of life of the person. Resolves to false once the conversation has ended on the node.
  async alive() {
    if (this.#aliveTimer !== null) return true;
    const wait = this.#aliveAt + ALIVE_EVERY_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => { this.#aliveTimer = setTimeout(resolve, wait); });
    this.#aliveTimer = null;
    if (this.#aborter.signal.aborted) return true;
    this.#aliveAt = performance.now();
    try {
      await this.#send("POST", "/alive");
    } catch (problem) {
      return !problem.sessionGone; // not reached: the next sign is told again
    }
    return true;
  }

  // Calls onDelta with each piece of text; resolves to the turn's body once the node has made it durable.
  async ask(text, onDelta) {
    const response = await this.#send("POST", "/turns", { text }, "text/event-stream");
    try {
      for await (const { name, data } of events(response.body)) {
        if (name === "delta") onDelta(JSON.parse(data).text);
        else if (name === "final") return JSON.parse(data);
        else if (name === "error") throw problemIn(JSON.parse(data));
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
    }
    throw new Problem({ code: "cut" });
  }

  feedback(turn, useful, code = null, reason = null) {
    const body = { useful, ...(code && { reason_code: code }), ...(reason && { reason }) };
    return this.#send("POST", `/turns/${encodeURIComponent(turn)}/feedback`, body);
  }

  // Resolves to {ticket, state, keep_h}.
  async handoff(turn) {
    const response = await this.#send("POST", `/turns/${encodeURIComponent(turn)}/handoff`);
    return response.json();
  }

  withdraw(turn) {
    return this.#send("DELETE", `/turns/${encodeURIComponent(turn)}/handoff`);
  }

  // Words for staff, not for the machine.
  message(text) {
    return this.#send("POST", "/messages", { text });
  }

  // Calls on(name, data) for what staff do, until the conversation ends here or there.
  follow(on) {
    const path = `${BASE}/${encodeURIComponent(this.#id)}/events`;
    const open = (lastId, signal) =>
      send(path, { method: "GET", token: this.#token, accept: "text/event-stream", signal, lastId });
    return follow(open, this.#aborter.signal, on);
  }

  // Stops what is under way and has the node wipe the session. `keepalive` lets it go out while the page closes.
  async wipe() {
    this.#aborter.abort();
    clearTimeout(this.#aliveTimer);
    const headers = { authorization: `Bearer ${this.#token}` };
    const path = `${BASE}/${encodeURIComponent(this.#id)}`;
    for (const wait of [...WIPE_RETRIES_MS, null]) {
      try {
        const { status } = await fetch(path, { method: "DELETE", headers, keepalive: true });
        if (status < 500 && status !== 429) return;
      } catch {
        // not reached: again below
      }
      if (wait === null) return;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  #send(method, path, body, accept = "application/json") {
    return send(`${BASE}/${encodeURIComponent(this.#id)}${path}`, {
      method, body, accept, token: this.#token, signal: this.#aborter.signal,
    });
  }
}

async function send(path, { method, body, token, accept = "application/json", signal, lastId }) {
  const headers = { accept };
  if (lastId) headers["last-event-id"] = lastId;
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    if (!signal?.aborted) connection.lost();
    throw new Problem({ code: "offline" });
  }
  connection.found();
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw problemIn(said, response.status, Number.parseInt(response.headers.get("retry-after"), 10));
}

// A stream has no header for Retry-After: there it stands in the problem.
function problemIn(said, status = Number(said.status) || 0, retryAfterS = Number(said.retry_after_s ?? Number.NaN)) {
  const texts = {};
  for (const key of ["code", "title", "detail", "remedy"]) if (typeof said[key] === "string") texts[key] = said[key];
  return new Problem(texts, status, Number.isFinite(retryAfterS) ? retryAfterS : null);
}
