// A fault, shown where it happened: what it is, what becomes of the question, what to do. One at a time per place.

import { clone, say, show } from "./dom.js";
import { words } from "./words.js";

// A longer Retry-After than this is not shown as a count: nobody waits for it at a screen.
const RETRY_SHOWN_S_MAX = 120;
// Faults whose own words say more than that many people are asking.
const SAID_BETTER = new Set(["desk_full", "encoder_lost", "store_unwritable"]);
// The count is redrawn so often.
const TICK_MS = 250;

// Shows `problem` in `place`; `retry`, if given, is offered as a button.
export function showProblem(place, problem, retry = null) {
  const { root, parts } = clone("part-problem");
  parts.title.textContent = problem.title;
  parts.detail.textContent = problem.detail ?? "";
  parts.remedy.textContent = problem.remedy ?? "";
  show(parts.remedy, Boolean(problem.remedy));
  show(parts.act, Boolean(retry));
  place.replaceChildren(root);
  if (retry) arm(parts, problem.waitS ?? 0, retry);
  root.scrollIntoView({ block: "nearest" });
}

export function clearProblem(place) {
  place.replaceChildren();
}

// A plain sentence, such as why one is back at the start.
export function showSentence(place, text) {
  const { root, parts } = clone("part-said");
  parts.text.textContent = text;
  place.replaceChildren(root);
}

// What the person reads for `problem` (see api.js) about a question.
export function inWords(problem) {
  if (problem.code === "offline") return words.offline;
  if (problem.code === "cut") return words.cut;
  if (problem.status === 429 || problem.status === 503) return busy(problem);
  if (problem.status === 413) return { ...words.tooLong, detail: problem.detail };
  return problem.title ? problem : words.unknown;
}

function busy(problem) {
  const waitS = Math.min(problem.retryAfterS ?? 0, RETRY_SHOWN_S_MAX);
  const remedy = waitS > 0 ? words.retryIn(waitS) : problem.remedy || words.retryNow;
  // What a node or a desk says about itself ("very many people are waiting for our staff") is better than our general sentence.
  const said = problem.code === "rate_limited" ? words.tooFast : SAID_BETTER.has(problem.code) ? problem : words.busy;
  return { title: said.title, detail: said.detail, remedy, waitS };
}

// The button stays focusable while it waits, and the sentence beside it counts down. A screen reader hears it twice: when
// the fault appears, and when one can try again.
function arm({ retry: button, remedy }, waitS, retry) {
  let ready = waitS <= 0;
  button.addEventListener("click", () => { if (ready) retry(); });
  if (ready) return;
  button.setAttribute("aria-disabled", "true");
  const until = performance.now() + waitS * 1000;
  const timer = setInterval(() => {
    if (!button.isConnected) return clearInterval(timer);
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left > 0) {
      if (remedy.textContent !== words.retryIn(left)) remedy.textContent = words.retryIn(left);
      return;
    }
    clearInterval(timer);
    ready = true;
    button.removeAttribute("aria-disabled");
    remedy.textContent = words.retryNow;
    say(words.retryNow);
  }, TICK_MS);
}
