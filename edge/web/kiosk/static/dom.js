// Building the page from its own <template>s. The only way in for text is textContent: nothing here, or anywhere in
// the kiosk, parses a string as HTML.

// A fresh copy of template `id`: its first element, and its named parts (data-part).
export function clone(id) {
  const root = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const part of root.querySelectorAll("[data-part]")) parts[part.dataset.part] = part;
  return { root, parts };
}

export function show(element, visible = true) {
  element.hidden = !visible;
}

// Says one sentence to screen readers, without moving the focus. The same sentence twice is said twice.
export function say(text) {
  const heard = document.getElementById("heard");
  heard.replaceChildren();
  if (text) {
    const line = document.createElement("p");
    line.textContent = text;
    heard.append(line);
  }
}
