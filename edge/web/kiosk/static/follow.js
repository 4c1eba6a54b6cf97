// Follows what staff do with a conversation's tickets: one stream, opened again where it was for as long as it is wanted.

import { events } from "./sse.js";

// First pause after a stream that broke, then doubled up to the last. One that the node ended in time is opened at once.
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 15_000;

// `open(lastId, signal)` resolves to the response of the stream; `on(name, data)` gets each event. Ends with `signal`,
// with an event "ended", or when the conversation is gone.
export async function follow(open, signal, on) {
  let lastId = "0";
  let wait = RETRY_FIRST_MS;
  while (!signal.aborted) {
    try {
      const response = await open(lastId, signal);
      wait = RETRY_FIRST_MS;
      for await (const { name, data, id } of events(response.body)) {
        if (signal.aborted || name === "ended") return;
        lastId = id || lastId;
        on(name, JSON.parse(data));
      }
    } catch (problem) {
      if (signal.aborted || problem.sessionGone) return;
      if (problem.retryAfterS) wait = Math.max(wait, problem.retryAfterS * 1000);
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
    wait = Math.min(wait * 2, RETRY_LAST_MS);
  }
}
