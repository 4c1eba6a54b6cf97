// A safety card in the place of an answer: what it is, what to do now, whom to call. Said at once by screen readers,
// and it takes the focus: nothing on the page matters more.

import { clone, show } from "./dom.js";

// Puts `turn.card` into `article`, whose parts are `parts` (template part-answer).
export function showCard(article, parts, turn) {
  const { root, parts: card } = clone("part-card");
  root.lang = turn.card.language;
  card.title.textContent = turn.card.title;
  card.text.textContent = turn.card.text;
  card.phone.textContent = turn.card.phone ?? "";
  show(card.call, Boolean(turn.card.phone));
  for (const step of turn.card.steps) {
    const item = document.createElement("li");
    item.textContent = step;
    card.steps.append(item);
  }
  parts.bubble.replaceWith(root);
  // "Was this useful?" is no question to somebody in danger.
  show(parts.feedback, false);
  article.focusFirst = () => root.focus();
}
