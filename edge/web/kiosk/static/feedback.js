// Was this useful? "Not useful" counts at once; why is asked afterwards and may be left out.

import { clone, show } from "./dom.js";
import { once } from "./once.js";
import { words } from "./words.js";

// `parts` of the answer; `acts`: feedback(turnId, useful, reasonCode, reason), onGone().
export function wireFeedback(parts, turn, acts) {
  for (const button of parts.feedback.querySelectorAll("[data-useful]")) {
    const useful = button.dataset.useful === "true";
    button.addEventListener("click", () =>
      once(parts, acts, button, async () => {
        await acts.feedback(turn.turn_id, useful);
        parts.feedback.remove();
        if (useful) thank(parts);
        else askWhy(parts, turn, acts);
      }));
  }
}

function askWhy(parts, turn, acts) {
  const { root, parts: why } = clone("part-why");
  const group = `why-${turn.turn_id}`;
  for (const input of root.querySelectorAll("input")) input.name = group;
  const done = () => { root.remove(); thank(parts); };
  root.addEventListener("submit", (event) => {
    event.preventDefault();
    const code = root.querySelector("input:checked")?.value ?? null;
    const text = why.words.value.trim();
    if (!code && !text) return done();
    once(parts, acts, why.send, async () => {
      await acts.feedback(turn.turn_id, false, code, text || null);
      done();
    });
  });
  why.skip.addEventListener("click", done);
  parts.why.replaceChildren(root);
  why.title.focus();
  root.scrollIntoView({ block: "nearest" });
}

function thank(parts) {
  parts.thanks.textContent = words.thanks;
  parts.thanks.tabIndex = -1;
  show(parts.thanks);
  parts.thanks.focus();
}
