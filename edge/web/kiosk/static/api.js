// The node's customer routes. One Conversation is one session; its tokens live in this object and nowhere else. When its
// node dies it goes on at a sibling by itself. Not here: anything about the page.

import * as connection from "./connection.js";
import { follow } from "./follow.js";
import { events } from "./sse.js";
import { PATIENCE_MS, Problem, SIBLING_PATIENCE_MS, problemIn, send } from "./transport.js";

const BASE = "/api/v1/sessions";
// The node that this page came from, as the beginning of an address.
const HOME = "";
// A wipe that did not arrive is tried again; the node forgets by itself when the session runs out.
const WIPE_RETRIES_MS = [2_000, 10_000, 30_000];
// How often a question is asked again by itself, and for how long it waits for a sibling that is full for a moment, s.
const TRIES_MAX = 10;
const RETRY_S_MAX = 2;
// The node is told that somebody is there at most so often. It hears of the last sign of life, if so much later.
const ALIVE_EVERY_MS = 10_000;

export class Conversation {
  #config;
  #nodes; // the site's: this page's own, then its siblings
  #place; // {node, id, token}: where the conversation is
  #left = []; // places that it has left: to be wiped, too
  #going = null; // while it looks for another place
  #continuation = null; // what a sibling goes on by, newest
  #agreed = false;
  #permits = undefined; // as `overflow`, but a withdrawal counts from when it is said: what a sibling is told
  #aborter = new AbortController();
  #aliveAt = performance.now();
  #aliveTimer = null;
  #followedAt = null;
  onMoved = () => {}; // it goes on at another node from now on

  constructor(place, opened, config) {
    [this.#place, this.#config, this.#nodes] = [place, config, nodesOf(config)];
    this.notice = opened.notice;
    this.languages = opened.languages ?? [];
    this.overflow = undefined; // whether help from outside is permitted
  }

  // At this page's own node; where that is not there, or full, at a sibling.
  static async open(config) {
    const nodes = nodesOf(config);
    let first = null;
    for (const node of nodes) {
      try {
        const opened = await begin(node, { channel: config.channel, locale: config.locale }, patience(nodes));
        return new Conversation(placeOf(node, opened), opened, config);
      } catch (problem) {
        first ??= problem;
        if (!problem.nodeGone && problem.status !== 503) break;
      }
    }
    if (first.nodeGone) connection.lost();
    throw first;
  }

  // Again: a change of mind, which holds for the next question. Left out: nobody was asked.
  async consent(overflow) {
    if (overflow !== true) this.#permits = overflow;
    await this.#send("POST", "/consent", { notice_version: this.notice.version, overflow });
    this.overflow = this.#permits = overflow;
    this.#agreed = true;
  }

  // What left the building about this conversation.
  async receipt() {
    return (await this.#send("GET", "/receipt")).json();
  }

  // A link to it for a phone: {url, qr, no_qr, expires_in_s}. It leads to the node that has the conversation.
  async receiptLink() {
    for (;;) {
      const place = this.#place;
      const response = await this.#send("POST", "/receipt-link", { origin: place.node || location.origin });
      if (this.#place === place) return response.json();
    }
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

  // Calls onDelta with each piece of text; resolves to the turn's body once the node has made it durable. Where the node
  // dies meanwhile the question is asked again at a sibling: `onMoved` comes first, then pieces from the beginning.
  async ask(text, onDelta) {
    for (let tries = 0, moved = false; ; tries += 1) {
      const place = this.#place;
      try {
        return await this.#askAt(place, text, onDelta, moved ? SIBLING_PATIENCE_MS : this.#patience);
      } catch (problem) {
        // A sibling to which many come at once says when it has room: the person has waited already, and need not press.
        const full = moved && problem.retryAfterS !== null && problem.retryAfterS <= RETRY_S_MAX;
        if (!(problem.nodeGone || full) || tries === TRIES_MAX) throw problem;
        if (full) await new Promise((resolve) => setTimeout(resolve, problem.retryAfterS * 1000));
        else await this.#goOn(place, problem);
        moved = true;
      }
    }
  }

  async #askAt(place, text, onDelta, patienceMs) {
    const wanted = { method: "POST", body: { text }, accept: "text/event-stream", patienceMs };
    const response = await this.#sendAt(place, "/turns", wanted);
    try {
      for await (const { name, data } of events(response.body, patienceMs)) {
        if (name === "delta") onDelta(JSON.parse(data).text);
        else if (name === "final") return this.#kept(JSON.parse(data));
        else if (name === "error") throw problemIn(JSON.parse(data));
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
    }
    throw new Problem({ code: "cut" });
  }

  #kept({ continuation, ...turn }) {
    this.#continuation = continuation ?? this.#continuation;
    return turn;
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
    const open = (lastId) => {
      // Numbers of events are those of a node.
      const since = this.#followedAt === this.#place ? lastId : "0";
      this.#followedAt = this.#place;
      return this.#send("GET", "/events", undefined, "text/event-stream", since);
    };
    return follow(open, this.#aborter.signal, on);
  }

  // Stops what is under way and has the nodes wipe the session, also one that is only just being gone to. `keepalive` lets
  // it go out while the page closes.
  async wipe() {
    this.#aborter.abort();
    clearTimeout(this.#aliveTimer);
    await Promise.all([this.#place, ...this.#left].map(wipeAt));
  }

  get #patience() {
    return patience(this.#nodes);
  }

  async #send(method, path, body, accept, lastId) {
    const place = this.#place;
    const wanted = { method, body, accept, lastId, patienceMs: this.#patience };
    try {
      return await this.#sendAt(place, path, wanted);
    } catch (problem) {
      if (!problem.nodeGone || this.#aborter.signal.aborted) throw problem;
      await this.#goOn(place, problem);
      return this.#sendAt(this.#place, path, { ...wanted, lastId: lastId && "0", patienceMs: SIBLING_PATIENCE_MS });
    }
  }

  #sendAt(place, path, wanted) {
    return send(addressOf(place) + path, { ...wanted, token: place.token, signal: this.#aborter.signal });
  }

  // Resolves once the conversation is elsewhere than at `from`; rejects with `problem` where it goes on nowhere.
  #goOn(from, problem) {
    if (this.#place !== from) return Promise.resolve();
    this.#going ??= this.#move(problem).finally(() => { this.#going = null; });
    return this.#going;
  }

  async #move(problem) {
    const here = this.#place;
    for (const node of this.#nodes) {
      if (node === here.node || this.#aborter.signal.aborted) continue;
      const place = await this.#openAt(node).catch(() => null); // the next one, then
      if (place === null) continue;
      if (this.#aborter.signal.aborted) {
        wipeAt(place); // wipe() came before there was anything to wipe there
        break;
      }
      this.#left.push(here);
      this.#place = place;
      this.overflow = this.#permits;
      this.onMoved();
      return;
    }
    const unreached = problem.code === "offline" || this.#nodes.length > 1;
    if (unreached && !this.#aborter.signal.aborted) connection.lost();
    throw problem;
  }

  // What was final goes along. What the person has agreed to is said again: they may have changed their mind since.
  async #openAt(node) {
    const { channel, locale } = this.#config;
    const body = this.#continuation ? { continuation: this.#continuation } : { channel, locale };
    const opened = await begin(node, body, SIBLING_PATIENCE_MS);
    const place = placeOf(node, opened);
    try {
      if (opened.notice.version !== this.notice.version) throw new Problem({ code: "stale_notice" });
      if (this.#agreed) await this.#agreeAt(place);
    } catch (problem) {
      wipeAt(place);
      throw problem;
    }
    this.#continuation = opened.continuation ?? this.#continuation;
    return place;
  }

  // Until what the node was told is what the person wants: they may change their mind meanwhile.
  async #agreeAt(place) {
    let overflow;
    do {
      overflow = this.#permits;
      const body = { notice_version: this.notice.version, overflow };
      await this.#sendAt(place, "/consent", { method: "POST", body, patienceMs: SIBLING_PATIENCE_MS });
    } while (overflow !== this.#permits);
  }
}

const nodesOf = (config) => [HOME, ...(config.siblings ?? [])];
const patience = (nodes) => (nodes.length > 1 ? PATIENCE_MS : null);
const placeOf = (node, { session_id: id, token }) => ({ node, id, token });
const addressOf = ({ node, id }) => `${node}${BASE}/${encodeURIComponent(id)}`;

// Not broken off when it takes too long: what the node opens all the same must be wiped, and only its answer says what.
async function begin(node, body, patienceMs) {
  const opening = send(node + BASE, { method: "POST", body }).then((response) => response.json());
  let timer;
  const late = new Promise((_, reject) => {
    if (patienceMs !== null) timer = setTimeout(() => reject(new Problem({ code: "offline" })), patienceMs);
  });
  try {
    return await Promise.race([opening, late]);
  } catch (problem) {
    opening.then((opened) => wipeAt(placeOf(node, opened)), () => {});
    throw problem;
  } finally {
    clearTimeout(timer);
  }
}

async function wipeAt(place) {
  const headers = { authorization: `Bearer ${place.token}` };
  for (const wait of [...WIPE_RETRIES_MS, null]) {
    try {
      const { status } = await fetch(addressOf(place), { method: "DELETE", headers, keepalive: true });
      if (status < 500 && status !== 429) return;
    } catch {
      // not reached: again below
    }
    if (wait === null) return;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
