// Files dropped onto the form, and how much of them has been sent. The form works without this file.

const form = document.getElementById("upload");
const file = document.getElementById("file");
const drop = document.getElementById("drop");
const bar = document.getElementById("sending");
const said = document.getElementById("sending-said");

if (form) {
  drop.querySelector(".drag-hint").hidden = false;
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
}

function send() {
  if ([...file.files].reduce((sum, one) => sum + one.size, 0) > Number(form.dataset.bytesMax)) {
    said.textContent = form.dataset.large;
    return;
  }
  const request = new XMLHttpRequest();
  const button = form.querySelector("[type=submit]");
  button.setAttribute("aria-disabled", "true");
  bar.hidden = false;
  said.textContent = form.dataset.busy;
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = Math.floor((100 * event.loaded) / event.total);
  });
  request.addEventListener("load", () => arrived(request));
  request.addEventListener("error", () => {
    bar.hidden = true;
    button.removeAttribute("aria-disabled");
    said.textContent = form.dataset.away;
  });
  request.open("POST", form.action);
  request.setRequestHeader("X-CSRF-Token", form.elements.csrf.value);
  request.send(new FormData(form));
}

function arrived(request) {
  if (request.status < 400 && request.responseURL !== form.action) {
    location.assign(request.responseURL);
    return;
  }
  // A page that says what was wrong: show its main part here, as the form alone would have.
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  document.getElementById("content").replaceWith(document.adoptNode(page.getElementById("content")));
  document.getElementById("content").focus();
}
