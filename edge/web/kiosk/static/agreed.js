// What the person agreed to, to read again and to take back. A dialog that is removed when it closes; Escape closes it,
// and the focus goes back to where it was.

import { clone, show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
import { Receipt } from "./receipt.js";
import { words } from "./words.js";

// The notice's paragraphs are apart by an empty line.
export function paragraphs(text) {
  return text.split(/\n\s*\n/).map((paragraph) => {
    const line = document.createElement("p");
    line.textContent = paragraph;
    return line;
  });
}

export class Agreed {
  #root;
  #parts;
  #tick;
  #conversation;
  #events;
  #receipt = null;
  #telling = Promise.resolve(); // one change of mind after the other

  // `events`: onGone() when the session has ended, onClose() once the dialog is removed.
  constructor(conversation, events) {
    const { root, parts } = clone("part-agreed");
    [this.#root, this.#parts, this.#conversation, this.#events] = [root, parts, conversation, events];
    this.#tick = parts.overflow.querySelector("input");
    parts.text.append(...paragraphs(conversation.notice.text));
    show(parts.overflow, conversation.notice.overflow_offered !== false);
    this.#tick.checked = conversation.overflow === true;
    this.#tick.addEventListener("change", () => this.#change(this.#tick.checked));
    parts.close.addEventListener("click", () => root.close());
    parts.receipt.addEventListener("click", () => { this.#receipt = new Receipt(conversation, events); });
    root.addEventListener("close", () => { root.remove(); events.onClose(); });
    document.body.append(root);
    root.showModal();
    parts.title.focus();
  }

  close() {
    this.#receipt?.close();
    this.#root.close();
  }

  #change(permitted) {
    this.#telling = this.#telling.then(() => this.#tell(permitted));
  }

  async #tell(permitted) {
    const parts = this.#parts;
    clearProblem(parts.problem);
    parts.told.textContent = "";
    try {
      await this.#conversation.consent(permitted);
      parts.told.textContent = permitted ? words.permitted : words.takenBack;
    } catch (problem) {
      if (!this.#root.open) return;
      if (problem.sessionGone) return this.#events.onGone();
      this.#tick.checked = this.#conversation.overflow === true;
      showProblem(parts.problem, { ...inWords(problem), detail: "" });
    }
  }
}
