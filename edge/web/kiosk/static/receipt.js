// A visitor's receipt: what left this building about the conversation, and a code by which a phone takes it along. A dialog
// that is removed when it closes; Escape closes it, and the focus goes back to where it was. It can be printed, alone.

import { clone, show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
import { tell } from "./receipt_view.js";
import { words } from "./words.js";

const PRINTING = "prints-receipt"; // on <html>: nothing but the receipt goes onto the paper

export class Receipt {
  #root;
  #parts;
  #conversation;
  #events;

  // `events`: onGone() when the session has ended.
  constructor(conversation, events) {
    const { root, parts } = clone("part-receipt");
    [this.#root, this.#parts, this.#conversation, this.#events] = [root, parts, conversation, events];
    parts.close.addEventListener("click", () => root.close());
    parts.print?.addEventListener("click", print);
    root.addEventListener("close", () => root.remove());
    document.body.append(root);
    root.showModal();
    parts.title.focus();
    this.#read();
  }

  close() {
    this.#root.close();
  }

  async #read() {
    const parts = this.#parts;
    clearProblem(parts.problem);
    try {
      const receipt = await this.#conversation.receipt();
      tell(parts, receipt);
      parts.made.textContent = words.receiptMade(words.moment(receipt.at_ms));
      show(parts.facts);
      await this.#offer();
    } catch (problem) {
      if (!this.#root.open) return;
      if (problem.sessionGone) return this.#events.onGone();
      parts.told.textContent = "";
      showProblem(parts.problem, { ...inWords(problem), detail: "" }, () => this.#read());
    }
  }

  // The code. Without one the receipt stands all the same.
  async #offer() {
    const parts = this.#parts;
    let link = null;
    try {
      link = await this.#conversation.receiptLink();
    } catch (problem) {
      if (problem.sessionGone) throw problem;
    }
    if (link?.qr) {
      parts.code.src = link.qr;
      parts.address.textContent = link.url;
      parts["code-until"].textContent = words.codeUntil(Math.round(link.expires_in_s / 60));
    }
    show(parts.take, Boolean(link?.qr));
    parts["no-code"].textContent = words.noCode(link?.no_qr ?? "");
    show(parts["no-code"], !link?.qr);
  }
}

function print() {
  document.documentElement.classList.add(PRINTING);
  addEventListener("afterprint", () => document.documentElement.classList.remove(PRINTING), { once: true });
  window.print();
}
