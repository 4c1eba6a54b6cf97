// One finished answer: its text, sources that open in place, choices to ask back with, feedback, hand-over, print.

import { showCard } from "./card.js";
import { clone, show } from "./dom.js";
import { wireFeedback } from "./feedback.js";
import { TicketPanel } from "./ticket.js";
import { detailNames, words } from "./words.js";

// The article for `turn` (the contract's turn body). `acts`: what ticket.js and feedback.js need, and choose(choice).
export function answerArticle(turn, acts, keepHours) {
  const { root, parts } = clone("part-answer");
  root.dataset.route = turn.route;
  parts.route.textContent = words.route[kind(turn)] ?? words.route.answer;
  parts.text.textContent = turn.answer;
  const unrecorded = turn.recorded === false;
  show(parts.unrecorded, unrecorded && !isDeskCard(turn));
  if (turn.language) Object.assign(parts.text, { lang: turn.language.code, dir: turn.language.dir });
  showRedactions(parts, turn);
  showChoices(parts, turn.choices ?? [], acts);
  showSources(parts, turn.citations ?? [], turn.conflict === true);
  new TicketPanel(parts, turn, acts, keepHours);
  wireFeedback(parts, turn, acts);
  parts.print?.addEventListener("click", () => printOnly(root));
  if (turn.route === "safety" && turn.card) showCard(root, parts, turn);
  if (unrecorded) show(parts.handoff, false); // neither can be about what is not there
  if (unrecorded || isDeskCard(turn)) show(parts.feedback, false);
  return root;
}

// Nothing could be looked up: the site's prepared words, and when to ask again.
export function isDeskCard(turn) {
  return turn.card?.kind === "desk";
}

// What stands above the answer: its route, or why it is none from the documents.
function kind(turn) {
  if (isDeskCard(turn)) return "desk";
  const asked = turn.intent?.in_scope && turn.intent.name === "talk_to_human";
  if (turn.route === "handoff" && (turn.card || turn.language || asked)) return "staff";
  return turn.route === "answer" && !turn.citations?.length ? "standing" : turn.route;
}

function showRedactions(parts, turn) {
  const types = turn.redactions ?? [];
  parts.redactions.textContent = types.length ? words.redacted(detailNames(types), turn.route === "overflow") : "";
  show(parts.redactions, types.length > 0);
}

// One question back: each choice is a question that a press asks.
function showChoices(parts, choices, acts) {
  for (const choice of choices) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "button quiet", textContent: choice.label, dir: "auto" });
    button.addEventListener("click", () => acts.choose(choice));
    item.append(button);
    parts.choices.append(item);
  }
  show(parts.choices, choices.length > 0);
}

// Where sources differ, that is said in the place of an answer, and both are open: the person judges, or asks.
function showSources(parts, citations, conflict) {
  const found = places(citations);
  show(parts.sources, found.length > 0);
  show(parts.conflict, conflict);
  if (conflict) parts.text.replaceWith(parts.conflict);
  parts["sources-title"].textContent = words.sources(found.length);
  parts["source-list"].append(...found.map((quotes) => source(quotes, conflict)));
}

// The citations of one section stand together.
function places(citations) {
  const found = new Map();
  for (const citation of citations) {
    const place = JSON.stringify([citation.doc, citation.version, citation.section]);
    found.set(place, [...(found.get(place) ?? []), citation]);
  }
  return [...found.values()];
}

function source(quotes, open) {
  const { root, parts } = clone("part-source");
  const [{ title, section, doc, version }] = quotes;
  parts.details.open = open;
  parts.path.textContent = [title, section].filter(Boolean).join(" › ");
  const marks = quotes.map(({ quote }) => Object.assign(parts.quote.cloneNode(), { textContent: quote }));
  parts.quotes.replaceChildren(...marks.flatMap((mark, at) => (at ? ["\n", mark] : [mark])));
  parts.origin.textContent = words.origin(doc, version);
  return root;
}

// The answer and the question above it, without the rest of the conversation.
function printOnly(article) {
  const marks = [article, article.previousElementSibling, document.documentElement].filter(Boolean);
  for (const element of marks) element.classList.add("to-print");
  addEventListener("afterprint", () => { for (const element of marks) element.classList.remove("to-print"); }, { once: true });
  window.print();
}
