// Whether the machine that answers can be reached. Said once when it is lost and once when it is back, by the page and to
// screen readers; meanwhile the node is looked for, so that the sentence goes away by itself.

import { say, show } from "./dom.js";
import { words } from "./words.js";

const LOOK_EVERY_MS = 3_000;

const banner = document.getElementById("connection");
let looking = null;

// A request found nobody there.
export function lost() {
  if (looking !== null) return;
  show(banner);
  looking = setTimeout(look, LOOK_EVERY_MS);
}

// A request was answered, whatever the answer was.
export function found() {
  if (looking === null) return;
  clearTimeout(looking);
  looking = null;
  show(banner, false);
  say(words.backAgain);
}

async function look() {
  try {
    await fetch("/healthz", { cache: "no-store" });
    found();
  } catch {
    looking = setTimeout(look, LOOK_EVERY_MS);
  }
}

addEventListener("offline", lost);
addEventListener("online", () => { if (looking !== null) look(); });
