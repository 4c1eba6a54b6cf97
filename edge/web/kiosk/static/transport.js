// Requests to a node of the site, and what went wrong with them. Not here: which node, and what a conversation is.

import * as connection from "./connection.js";

// A node that says nothing for so long is taken for dead, where another one could be asked. It says something every half a
// second while it answers; with the way to the sibling a chat goes on within three seconds.
export const PATIENCE_MS = 2_500;
// A sibling to which all of a dead node's people come at once is given longer: behind it there may be none.
export const SIBLING_PATIENCE_MS = 10_000;

// What went wrong, as the node said it (RFC 9457), or code "offline" or "cut" when the node said nothing.
export class Problem extends Error {
  constructor(body, status = 0, retryAfterS = null) {
    super(body.code ?? "unknown");
    Object.assign(this, { code: "unknown", title: "", detail: "", remedy: "", ...body, status, retryAfterS });
  }

  get sessionGone() {
    return this.status === 401 || this.code === "session_not_found" || this.code === "notice_required";
  }

  // The node is not there, or is no more.
  get nodeGone() {
    return this.code === "offline" || this.code === "cut";
  }
}

// `patienceMs`: how long until the node must have begun to answer; null: for ever.
export async function send(url, { method, body, token, accept = "application/json", signal, lastId, patienceMs = null }) {
  const headers = { accept };
  if (lastId) headers["last-event-id"] = lastId;
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const aborter = new AbortController();
  const abort = () => aborter.abort();
  const timer = patienceMs === null ? null : setTimeout(abort, patienceMs);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true }); // ends what is still being read, too
  let response;
  try {
    response = await fetch(url, {
      method, headers, body: body && JSON.stringify(body), cache: "no-store", signal: aborter.signal,
    });
  } catch {
    throw new Problem({ code: "offline" });
  } finally {
    clearTimeout(timer);
  }
  connection.found();
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw problemIn(said, response.status, Number.parseInt(response.headers.get("retry-after"), 10));
}

// A stream has no header for Retry-After: there it stands in the problem.
export function problemIn(said, status = Number(said.status) || 0, retryAfterS = Number(said.retry_after_s ?? Number.NaN)) {
  const texts = {};
  for (const key of ["code", "title", "detail", "remedy"]) if (typeof said[key] === "string") texts[key] = said[key];
  return new Problem(texts, status, Number.isFinite(retryAfterS) ? retryAfterS : null);
}
