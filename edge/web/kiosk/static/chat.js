// The conversation's screen: question field, streamed answer, transcript. A screen reader hears each answer once, when
// it is complete: pieces go to a part that it does not see, the finished article into the log.

import { answerArticle, isDeskCard } from "./answer.js";
import { clone, say, show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
import { words } from "./words.js";

// From here on the counter is shown: early enough to finish the sentence.
const COUNTER_FROM_CHARS_LEFT = 400;
// The counter is also spoken, at these distances only.
const COUNTER_SPOKEN_AT = [400, 100, 20];

export class Chat {
  #parts;
  #conversation;
  #config;
  #events;
  #asking = false;
  #asked = "";
  #closed = false;
  #spokenAt = Infinity;
  #tickets = new Map(); // number → the panel of its answer
  #human = null; // {operator} while somebody of the staff reads what is written here

  // `events`: onGone() when the session has ended, onAlive() while an answer is being written.
  constructor(conversation, config, events) {
    const { root, parts } = clone("screen-chat");
    [this.root, this.#parts, this.#conversation, this.#config, this.#events] = [root, parts, conversation, config, events];
    parts.form.addEventListener("submit", (event) => { event.preventDefault(); this.#ask(); });
    parts.question.addEventListener("input", () => this.#count());
    parts.question.addEventListener("keydown", (event) => this.#key(event));
    this.#offer(config.suggestions);
    conversation.onMoved = () => this.#moved();
  }

  focus() {
    this.#parts.question.focus();
  }

  close() {
    this.#closed = true;
    this.root.remove();
  }

  #offer(suggestions) {
    show(this.#parts.suggestions, suggestions.length > 0);
    for (const text of suggestions) {
      const item = document.createElement("li");
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "button quiet", textContent: text, dir: "auto" });
      button.addEventListener("click", () => { this.#write(text); this.focus(); this.#ask(); });
      item.append(button);
      this.#parts["suggestion-list"].append(item);
    }
  }

  #key(event) {
    // Enter sends; not while an input method is still composing a character.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#ask();
  }

  // `shown`: what the person chose, where that is not what is asked word for word.
  async #ask(shown) {
    const text = this.#parts.question.value.trim();
    if (!text || this.#asking) return;
    const chars = [...text].length;
    if (chars > this.#config.text_chars_max) return this.#refuseLong(chars);
    if (this.#human) return this.#tell(text);
    this.#asked = text;
    this.#begin(shown ?? text);
    try {
      const turn = await this.#conversation.ask(text, (piece) => this.#stream(piece));
      if (!this.#closed) this.#finish(turn);
    } catch (problem) {
      if (!this.#closed) this.#fail(problem, text);
    }
  }

  // Another node goes on. Half an answer of the one before is taken away, and the question is asked again. Who of the
  // staff was with the customer is with that node.
  #moved() {
    if (this.#closed) return;
    const waits = this.#asking && !this.#human;
    const ticket = [...this.#tickets.keys()].at(-1);
    if (ticket) this.#talking("left", null, ticket);
    if (!waits) return say(words.moved);
    this.#parts.partial.textContent = "";
    show(this.#parts.pending, false);
    this.#busy(words.askedAgain);
  }

  // To the person who has the ticket. As with a question, a fault brings the words back into the field.
  async #tell(text) {
    this.#asking = true;
    this.#write("");
    clearProblem(this.#parts.problem);
    const bubble = this.#said(text, words.youWrote(this.#human.operator));
    try {
      await this.#conversation.message(text);
    } catch (problem) {
      if (this.#closed) return;
      if (problem.sessionGone) return this.#events.onGone();
      bubble.remove();
      if (!this.#parts.question.value) this.#write(text);
      showProblem(this.#parts.problem, inWords(problem), () => { this.focus(); this.#ask(); });
    } finally {
      this.#asking = false;
    }
  }

  #follow(panel) {
    this.#tickets.set(panel.number, panel);
    this.#talking("waiting", null, panel.number);
    if (this.#tickets.size > 1) return;
    this.#conversation.follow((name, data) => {
      if (this.#closed) return;
      if (name === "message") this.#hear(data);
      else if (name === "state") this.#changed(data);
    });
  }

  #hear({ operator, text }) {
    const { root, parts } = clone("part-staff");
    parts.who.textContent = words.fromStaff(operator);
    parts.text.textContent = text;
    this.#parts.log.append(root);
    root.scrollIntoView({ block: "nearest" });
    this.#events.onAlive();
  }

  #changed({ ticket, state, operator }) {
    this.#tickets.get(ticket)?.changed(state, operator);
    this.#talking(state, operator, ticket);
  }

  // Who reads what is written here is seen above the field, in its label and on the button.
  #talking(state, operator, ticket) {
    this.#human = state === "human" ? { operator } : null;
    const parts = this.#parts;
    parts.with.dataset.state = state;
    show(parts.with); // first: a screen reader announces what changes in a part that is there
    parts.with.textContent = words.talkingTo(state, operator, ticket);
    parts.label.textContent = this.#human ? words.messageLabel(operator) : words.questionLabel;
    parts["send-text"].textContent = this.#human ? words.sendButton : words.askButton;
    show(parts.hint, !this.#human);
  }

  // The person's own words in the log.
  #said(text, heard) {
    const { root, parts } = clone("part-question");
    parts.heard.textContent = heard;
    parts.text.textContent = text;
    this.#parts.log.append(root);
    root.scrollIntoView({ block: "nearest" });
    return root;
  }

  #refuseLong(chars) {
    const max = this.#config.text_chars_max;
    this.#parts.question.setAttribute("aria-invalid", "true");
    showProblem(this.#parts.problem, { ...words.tooLong, detail: words.tooLongBy(chars, max) });
    this.focus();
  }

  #begin(text) {
    // What was offered before belongs to a question that is over.
    for (const old of this.#parts.log.querySelectorAll(".choices .button")) old.disabled = true;
    this.#said(text, words.youAsked);
    this.#asking = true;
    this.#write("");
    clearProblem(this.#parts.problem);
    show(this.#parts.suggestions, false);
    this.#busy(words.looking);
    this.#parts.waiting.scrollIntoView({ block: "nearest" });
  }

  #stream(piece) {
    if (this.#closed) return;
    this.#events.onAlive();
    this.#parts.partial.textContent += piece;
    if (this.#parts.pending.hidden) {
      show(this.#parts.pending);
      this.#busy(words.writing);
    }
    this.#parts.waiting.scrollIntoView({ block: "nearest" });
  }

  #finish(turn) {
    const article = answerArticle(turn, {
      choose: ({ question, label }) => { if (!this.#human) { this.#write(question); this.focus(); this.#ask(label); } },
      feedback: (...told) => this.#conversation.feedback(...told),
      handoff: (id) => this.#conversation.handoff(id),
      withdraw: (id) => this.#conversation.withdraw(id),
      onTicket: (panel) => this.#follow(panel),
      onGone: this.#events.onGone,
    }, this.#config.keep_h);
    this.#rest();
    this.#parts.log.append(article);
    article.scrollIntoView({ block: "nearest" });
    article.focusFirst?.();
    if (isDeskCard(turn)) this.#askAgain(turn);
  }

  // As after a fault: trying again costs one press.
  #askAgain(turn) {
    if (!this.#parts.question.value) this.#write(this.#asked);
    const waitS = Math.ceil(turn.retry_after_s ?? 0);
    const remedy = waitS > 0 ? words.retryIn(waitS) : words.retryNow;
    showProblem(this.#parts.problem, { ...words.askAgain, remedy, waitS }, () => { this.focus(); this.#ask(); });
  }

  // The question goes back into the field, so that trying again costs one press.
  #fail(problem, text) {
    this.#rest();
    if (problem.sessionGone) return this.#events.onGone();
    this.#parts.log.lastElementChild?.remove();
    if (!this.#parts.question.value) this.#write(text);
    const retry = problem.status === 413 ? null : () => { this.focus(); this.#ask(); };
    showProblem(this.#parts.problem, inWords(problem), retry);
  }

  #busy(text) {
    this.#parts["waiting-text"].textContent = text;
    show(this.#parts.waiting);
    this.#parts.send.setAttribute("aria-disabled", "true");
    if (text !== words.writing) say(text);
  }

  #rest() {
    this.#asking = false;
    this.#parts.partial.textContent = "";
    show(this.#parts.pending, false);
    show(this.#parts.waiting, false);
    this.#parts.send.removeAttribute("aria-disabled");
    say("");
    this.#events.onAlive();
  }

  #write(text) {
    this.#parts.question.value = text;
    this.#count();
  }

  #count() {
    const left = this.#config.text_chars_max - [...this.#parts.question.value.trim()].length;
    const near = left <= COUNTER_FROM_CHARS_LEFT;
    this.#parts.count.textContent = near ? (left < 0 ? words.over(-left) : words.left(left)) : "";
    this.#parts.count.classList.toggle("over", left < 0);
    this.#parts.question.setAttribute("aria-invalid", String(left < 0));
    const mark = left < 0 ? -1 : COUNTER_SPOKEN_AT.findLast((at) => left <= at) ?? Infinity;
    if (mark < this.#spokenAt) say(this.#parts.count.textContent);
    this.#spokenAt = mark;
  }
}
