// What the console's pages do beyond HTML and htmx: copy a command, pause the live part, say when it is stale.
// Every page works without this file.

const live = document.getElementById("live");
const pause = document.getElementById("pause");
const stale = document.getElementById("stale");
const place = document.getElementById("content").dataset.place;
let paused = false;
let freshAt = new Date();

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // browsers give it to secure pages only
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 3000);
}

if (live && pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    say(paused ? `Paused. These are the figures of ${clock(freshAt)} UTC.` : "");
  });
}

if (live) {
  // Nobody looks at a hidden tab; the server need not answer it.
  live.addEventListener("htmx:before:request", (event) => { if (paused || document.hidden) event.preventDefault(); });
  live.addEventListener("htmx:after:swap", () => { freshAt = new Date(); if (!paused) say(""); });
  live.addEventListener("htmx:error", unreachable);
  live.addEventListener("htmx:response:error", unreachable);
}

function unreachable() {
  say(`${place} does not answer. These are the figures of ${clock(freshAt)} UTC; the page tries on.`);
}

function say(text) {
  if (stale && stale.textContent !== text) stale.textContent = text;
}

function clock(date) {
  return date.toISOString().slice(11, 19);
}
