// The customer's page, composed: attract → notice → conversation → wiped. One conversation at a time, and this module
// holds the only reference to it.

import { Agreed, paragraphs } from "./agreed.js";
import { Conversation } from "./api.js";
import { Chat } from "./chat.js";
import * as comfort from "./comfort.js";
import { clone, say, show } from "./dom.js";
import { Idle } from "./idle.js";
import { clearProblem, inWords, showProblem, showSentence } from "./problem.js";
import { words } from "./words.js";

const config = JSON.parse(document.getElementById("kiosk-config").textContent);
const stage = document.getElementById("stage");
const attract = document.getElementById("attract");
const attractNotice = document.getElementById("attract-notice");
const startButton = document.getElementById("start");
const startOverButton = document.getElementById("start-over");
const agreedButton = document.getElementById("agreed");
// How long a sentence such as "everything is erased" stays on the first screen, ms.
const SENTENCE_MS = 12_000;

let conversation = null;
let agreed = null; // what was agreed to, while it is open
let screen = null; // what has taken the attract screen's place: {root, close()}
let opening = false;
let sentenceTimer = null;

const idle = new Idle({
  warnS: config.idle_warn_s,
  wipeS: config.idle_wipe_s,
  silent: () => !conversation,
  onSign: tellAlive,
  onWipe: () => wipe(conversation ? words.wiped : ""),
});

async function tellAlive() {
  const mine = conversation;
  if (mine && !(await mine.alive()) && conversation === mine) wipe(words.ended);
}

async function start() {
  if (opening || conversation) return;
  opening = true;
  startButton.setAttribute("aria-disabled", "true");
  try {
    conversation = await Conversation.open(config);
    openNotice();
  } catch (problem) {
    const said = problem.code === "offline" ? words.offlineStart : { ...inWords(problem), detail: "" };
    showProblem(attractNotice, said, start);
  } finally {
    opening = false;
    startButton.removeAttribute("aria-disabled");
  }
}

function openNotice() {
  const { root, parts } = clone("screen-notice");
  parts.text.append(...paragraphs(conversation.notice.text));
  parts.languages.textContent = words.languages(conversation.languages);
  show(parts.overflow, conversation.notice.overflow_offered !== false);
  const tick = parts.overflow.querySelector("input");
  // Left out where nobody was asked: that is no refusal.
  parts.agree.addEventListener("click", () => agree(parts, parts.overflow.hidden ? undefined : tick.checked));
  parts.leave.addEventListener("click", () => wipe(words.startedOver));
  open({ root, close: () => root.remove() });
  root.querySelector("h1").focus();
}

async function agree(parts, overflow) {
  if (parts.agree.getAttribute("aria-disabled") === "true") return;
  const mine = conversation;
  parts.agree.setAttribute("aria-disabled", "true");
  clearProblem(parts.problem);
  try {
    await mine.consent(overflow);
    if (conversation === mine) openChat();
  } catch (problem) {
    if (conversation !== mine) return;
    if (problem.sessionGone) return wipe(words.ended);
    showProblem(parts.problem, { ...inWords(problem), detail: "" }, () => agree(parts, overflow));
  } finally {
    parts.agree.removeAttribute("aria-disabled");
  }
}

function openChat() {
  const chat = new Chat(conversation, config, {
    onGone: () => wipe(words.ended),
    onAlive: () => idle.alive(),
  });
  open(chat);
  show(agreedButton);
  chat.focus();
}

function openAgreed() {
  agreed = new Agreed(conversation, { onGone: () => wipe(words.ended), onClose: () => { agreed = null; } });
}

function open(next) {
  screen?.close();
  screen = next;
  clearProblem(attractNotice);
  show(attract, false);
  show(startOverButton);
  stage.append(next.root);
  scrollTo(0, 0);
  idle.start();
}

// Back to the first screen with nothing left of the conversation: not on the page, not in the undo history of a field
// (the fields are removed), not in memory that anything still points to, and not on the node.
function wipe(sentence) {
  conversation?.wipe();
  conversation = null;
  agreed?.close();
  screen?.close();
  screen = null;
  idle.stop();
  comfort.reset();
  say("");
  getSelection()?.removeAllRanges();
  show(startOverButton, false);
  show(agreedButton, false);
  show(attract);
  clearProblem(attractNotice);
  clearTimeout(sentenceTimer);
  if (sentence) {
    showSentence(attractNotice, sentence);
    sentenceTimer = setTimeout(() => clearProblem(attractNotice), SENTENCE_MS);
  }
  scrollTo(0, 0);
  startButton.focus();
}

startButton.addEventListener("click", start);
agreedButton.addEventListener("click", openAgreed);
startOverButton.addEventListener("click", () => wipe(words.startedOver));
// A page that goes away, or into the back/forward cache, takes nothing with it.
addEventListener("pagehide", () => { if (conversation) wipe(""); });
// Text size and contrast changed before anything began: the next person finds the usual ones.
document.querySelector(".comfort").addEventListener("click", () => { if (comfort.changed()) idle.start(); });
comfort.start();
document.documentElement.dataset.ready = "true";
