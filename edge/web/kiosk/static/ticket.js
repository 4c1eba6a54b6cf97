// Asking for a human about one answer: what that means, the customer's own yes, the number, and who has it now.

import { clone, show } from "./dom.js";
import { once } from "./once.js";
import { words } from "./words.js";

const OVER = ["closed", "withdrawn", "expired"];

export class TicketPanel {
  #parts;
  #turnId;
  #acts;
  #number = null;

  // `parts` of the answer; `acts`: handoff(turnId), withdraw(turnId), onTicket(panel), onGone().
  constructor(parts, turn, acts, keepHours) {
    [this.#parts, this.#turnId, this.#acts] = [parts, turn.turn_id, acts];
    // A person is always one press away; where we have no answer it is the first thing offered.
    parts.handoff.classList.toggle("quiet", turn.route !== "handoff");
    parts.handoff.addEventListener("click", () => this.#askFirst(keepHours));
  }

  get number() {
    return this.#number;
  }

  // What staff did: shown here, said once to screen readers.
  changed(state, operator) {
    const panel = this.#parts.ticket;
    panel.dataset.state = state;
    const status = panel.querySelector("[data-part=status]");
    const sentence = words.ticketState(state, operator);
    if (status.textContent !== sentence) status.textContent = sentence;
    show(panel.querySelector("[data-part=withdraw]"), !OVER.includes(state));
    show(this.#parts.handoff, OVER.includes(state));
  }

  // Handing over is the customer's own act: what goes, who reads it, for how long, and how to take it back.
  #askFirst(keepHours) {
    const { root, parts } = clone("part-confirm");
    parts.text.textContent = words.handoffText(keepHours);
    parts.yes.addEventListener("click", () =>
      once(this.#parts, this.#acts, parts.yes, async () => this.#made(await this.#acts.handoff(this.#turnId))));
    parts.no.addEventListener("click", () => { this.#close(); this.#parts.handoff.focus(); });
    root.addEventListener("keydown", (event) => { if (event.key === "Escape") parts.no.click(); });
    this.#parts.ticket.replaceChildren(root);
    show(this.#parts.ticket);
    show(this.#parts.handoff, false);
    parts.title.focus();
    this.#parts.ticket.scrollIntoView({ block: "nearest" });
  }

  #made(ticket) {
    const { root, parts } = clone("part-ticket");
    this.#number = ticket.ticket;
    parts.number.textContent = ticket.ticket;
    parts.withdraw.addEventListener("click", () =>
      once(this.#parts, this.#acts, parts.withdraw, async () => {
        await this.#acts.withdraw(this.#turnId);
        this.changed("withdrawn", null);
        this.#parts.handoff.focus();
      }));
    this.#parts.ticket.replaceChildren(root);
    this.changed(ticket.state, null);
    parts.title.focus();
    this.#acts.onTicket(this);
    this.#parts.ticket.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.#parts.ticket.replaceChildren();
    show(this.#parts.ticket, false);
    show(this.#parts.handoff);
  }
}
