// One finished answer: its text, sources that open in place, feedback, hand-over to staff, print.

import { clone, show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
import { detailNames, words } from "./words.js";

// The article for `turn` (the contract's turn body). `acts`: feedback(turnId, useful), handoff(turnId), onGone().
export function answerArticle(turn, acts) {
  const { root, parts } = clone("part-answer");
  root.dataset.route = turn.route;
  parts.route.textContent = words.route[turn.route] ?? words.route.answer;
  parts.text.textContent = turn.answer;
  showRedactions(parts, turn);
  showSources(parts, turn.citations ?? []);
  wireHandoff(parts, turn, acts);
  wireFeedback(parts, turn, acts);
  parts.print?.addEventListener("click", () => printOnly(root));
  return root;
}

function showRedactions(parts, turn) {
  const types = turn.redactions ?? [];
  parts.redactions.textContent = types.length ? words.redacted(detailNames(types), turn.route === "overflow") : "";
  show(parts.redactions, types.length > 0);
}

function showSources(parts, citations) {
  show(parts.sources, citations.length > 0);
  parts["sources-title"].textContent = words.sources(citations.length);
  parts["source-list"].append(...citations.map(source));
}

function source(citation) {
  const { root, parts } = clone("part-source");
  parts.path.textContent = [citation.title, citation.section].filter(Boolean).join(" › ");
  parts.quote.textContent = citation.quote;
  parts.origin.textContent = words.origin(citation.doc, citation.version);
  return root;
}

function wireHandoff(parts, turn, acts) {
  // A person is always one press away; where we have no answer it is the first thing offered.
  parts.handoff.classList.toggle("quiet", turn.route !== "handoff");
  parts.handoff.addEventListener("click", () =>
    once(parts, acts, parts.handoff, async () => showTicket(parts, await acts.handoff(turn.turn_id))));
}

function showTicket(parts, ticket) {
  const title = document.createElement("h2");
  const number = document.createElement("p");
  const text = document.createElement("p");
  number.className = "number";
  [title.textContent, number.textContent, text.textContent] = [words.ticketTitle, ticket, words.ticketText];
  parts.ticket.replaceChildren(title, number, text);
  parts.ticket.tabIndex = -1;
  show(parts.ticket);
  show(parts.handoff, false);
  parts.ticket.focus();
}

function wireFeedback(parts, turn, acts) {
  for (const button of parts.feedback.querySelectorAll("[data-useful]")) {
    button.addEventListener("click", () =>
      once(parts, acts, button, async () => {
        await acts.feedback(turn.turn_id, button.dataset.useful === "true");
        parts.thanks.textContent = words.thanks;
        parts.thanks.tabIndex = -1;
        show(parts.thanks);
        parts.feedback.remove();
        parts.thanks.focus();
      }));
  }
}

// Runs `act` unless it is already under way; a fault is shown under this answer, with the way to try again.
async function once(parts, acts, button, act) {
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

// The answer and the question above it, without the rest of the conversation.
function printOnly(article) {
  const marks = [article, article.previousElementSibling, document.documentElement].filter(Boolean);
  for (const element of marks) element.classList.add("to-print");
  addEventListener("afterprint", () => { for (const element of marks) element.classList.remove("to-print"); }, { once: true });
  window.print();
}
