// A visitor's receipt: what left this building about the conversation. A dialog that is removed when it closes; Escape
// closes it, and the focus goes back to where it was. It can be printed, alone.

import { clone, show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
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
      this.#tell(await this.#conversation.receipt());
    } catch (problem) {
      if (!this.#root.open) return;
      if (problem.sessionGone) return this.#events.onGone();
      showProblem(parts.problem, { ...inWords(problem), detail: "" }, () => this.#read());
    }
  }

  #tell(receipt) {
    const parts = this.#parts;
    parts.told.textContent = words.leftBuilding(receipt.left_bytes, receipt.left.length);
    parts.rows.replaceChildren(
      ...receipt.left.map((one) => row([moment(one.at_ms), words.bytes(one.bytes), words.passedAs(one.label), one.envelope || words.byAnother])),
    );
    show(parts.table, receipt.left.length > 0);
    parts.inside.textContent = words.insideSite(receipt.site_network);
    parts.made.textContent = words.receiptMade(moment(receipt.at_ms));
  }
}

function row(texts) {
  const line = document.createElement("tr");
  line.append(...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return line;
}

const moment = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

function print() {
  document.documentElement.classList.add(PRINTING);
  addEventListener("afterprint", () => document.documentElement.classList.remove(PRINTING), { once: true });
  window.print();
}
