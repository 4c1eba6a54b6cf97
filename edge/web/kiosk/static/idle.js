// Nobody there? A warning that is seen and heard, with at least 20 s to say "I need more time" as often as one likes
// (WCAG 2.2.1), then the wipe. Not here: what a wipe is.

import { words } from "./words.js";

// WCAG 2.2.1 asks for at least 20 seconds to extend.
const COUNTDOWN_S_MIN = 20;
// The countdown is also spoken, seldom enough not to talk over anyone.
const SPOKEN_S = [10];
const ACTIVITY = ["pointerdown", "pointermove", "keydown", "input", "wheel", "touchmove", "scroll"];

export class Idle {
  #dialog = document.getElementById("idle");
  #left = document.getElementById("idle-left");
  #from = document.getElementById("idle-from");
  #heard = document.getElementById("idle-heard"); // inside the dialog: all else is inert while it is open
  #warnMs;
  #countdownS;
  #onWipe;
  #silent = () => false;
  #onSign = () => {};
  #since = null; // when the last sign of life came, ms; null while nobody is expected
  #tick = null;

  // `silent()` true: there is nothing to lose, so wipe without asking. `onSign()`: somebody is there.
  constructor({ warnS, wipeS, silent, onSign, onWipe }) {
    this.#warnMs = warnS * 1000;
    this.#countdownS = Math.max(COUNTDOWN_S_MIN, wipeS - warnS);
    this.#silent = silent;
    this.#onSign = onSign;
    this.#onWipe = onWipe;
    for (const kind of ACTIVITY) addEventListener(kind, () => this.alive(), { passive: true, capture: true });
    document.getElementById("idle-more").addEventListener("click", () => this.#more());
    document.getElementById("idle-over").addEventListener("click", () => this.#wipe());
    this.#dialog.addEventListener("cancel", (event) => { event.preventDefault(); this.#more(); });
  }

  start() {
    this.#since = performance.now();
    this.#tick ??= setInterval(() => this.#check(), 500);
  }

  stop() {
    clearInterval(this.#tick);
    this.#tick = this.#since = null;
    if (this.#dialog.open) this.#dialog.close();
  }

  // A sign of life: of the person, or of an answer still being written. While the dialog asks, only its buttons count.
  alive() {
    if (this.#since === null || this.#dialog.open) return;
    this.#since = performance.now();
    this.#onSign();
  }

  #check() {
    if (performance.now() - this.#since < this.#warnMs) return;
    if (this.#silent()) return this.#wipe();
    if (!this.#dialog.open) this.#ask();
    const left = Math.ceil(this.#countdownS - (performance.now() - this.#since - this.#warnMs) / 1000);
    if (left <= 0) return this.#wipe();
    if (this.#left.textContent === String(left)) return;
    this.#left.textContent = String(left);
    this.#heard.textContent = SPOKEN_S.includes(left) ? words.secondsLeft(left) : this.#heard.textContent;
  }

  #ask() {
    // The countdown begins when the question is on the screen, also after the machine slept.
    this.#since = performance.now() - this.#warnMs;
    this.#from.textContent = String(this.#countdownS);
    this.#left.textContent = this.#heard.textContent = "";
    this.#dialog.showModal();
    document.getElementById("idle-more").focus();
    chime();
  }

  #more() {
    this.#dialog.close();
    this.start();
    this.#onSign();
  }

  #wipe() {
    this.stop();
    this.#onWipe();
  }
}

// Two soft notes: the warning reaches a second sense (EN 301 549 §5.1.3, time-outs of terminals). A machine without
// sound stays silent.
function chime() {
  try {
    const audio = new AudioContext();
    const volume = new GainNode(audio, { gain: 0.08 });
    volume.connect(audio.destination);
    [523.25, 659.25].forEach((hertz, n) => {
      const note = new OscillatorNode(audio, { frequency: hertz });
      note.connect(volume);
      note.start(audio.currentTime + n * 0.22);
      note.stop(audio.currentTime + n * 0.22 + 0.2);
      if (n) note.onended = () => audio.close();
    });
  } catch {
    // no sound here
  }
}
