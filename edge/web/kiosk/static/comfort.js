// Text size and contrast. They hold for one conversation and live in two attributes of <html>, in no storage: the next
// person starts with what the site, and their own system, chose.

const root = document.documentElement;
const sizes = [...document.querySelectorAll("[data-text-size]")].filter((element) => element !== root);
const contrast = document.getElementById("contrast");
const systemWantsMore = window.matchMedia("(prefers-contrast: more)");

export function start() {
  for (const button of sizes) button.addEventListener("click", () => setSize(button.dataset.textSize));
  contrast.addEventListener("click", () => setContrast(contrast.getAttribute("aria-pressed") !== "true"));
  systemWantsMore.addEventListener("change", reset);
  reset();
}

export function reset() {
  setSize("1");
  setContrast(systemWantsMore.matches);
}

// Whether the next person would find something changed.
export function changed() {
  return root.dataset.textSize !== "1" || (root.dataset.contrast === "more") !== systemWantsMore.matches;
}

function setSize(size) {
  root.dataset.textSize = size;
  for (const button of sizes) button.setAttribute("aria-pressed", String(button.dataset.textSize === size));
}

function setContrast(more) {
  root.dataset.contrast = more ? "more" : "normal";
  contrast.setAttribute("aria-pressed", String(more));
}
