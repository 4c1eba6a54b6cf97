// An act under one answer: not twice at a time, and its fault shown where it happened, with the way to try again.

import { clearProblem, inWords, showProblem } from "./problem.js";

// `parts.problem` is the place for the fault; `acts.onGone()` is called when the conversation has ended.
export async function once(parts, acts, button, act) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  clearProblem(parts.problem);
  try {
    await act();
  } catch (problem) {
    if (problem.sessionGone) return acts.onGone();
    showProblem(parts.problem, { ...inWords(problem), detail: "" }, () => once(parts, acts, button, act));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
