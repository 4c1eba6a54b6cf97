// A receipt on its own page, by the secret behind the address's "#".

import { show } from "./dom.js";
import { clearProblem, inWords, showProblem } from "./problem.js";
import { tell } from "./receipt_view.js";
import { Problem, send } from "./transport.js";
import { words } from "./words.js";

const parts = {};
for (const part of document.querySelectorAll("main [data-part]")) parts[part.dataset.part] = part;
let receipt = null;

async function read() {
  clearProblem(parts.problem);
  try {
    const secret = location.hash.slice(1);
    if (!secret) throw new Problem({ code: "receipt_link_cut" });
    const told = await (await send("/api/v1/receipt", { method: "GET", token: secret })).json();
    receipt = told.receipt;
    tell(parts, receipt);
    parts.until.textContent = words.linkUntil(words.moment(Date.now() + told.expires_in_s * 1000));
    parts.made.textContent = words.receiptOf(words.moment(receipt.at_ms));
    prove();
    show(parts.facts);
  } catch (problem) {
    const useless = { receipt_link_over: words.linkOver, receipt_link_cut: words.linkCut }[problem.code];
    show(parts.facts, false);
    parts.told.textContent = "";
    showProblem(parts.problem, useless ?? { ...inWords(problem), detail: "" }, useless ? null : read);
  }
  document.documentElement.dataset.ready = "";
}

function prove() {
  const { proof, key } = receipt;
  parts["proof-says"].textContent = words.proves(proof?.entries ?? 0, receipt.left.reduce((sum, one) => sum + (one.record?.leaves.length ?? 0), 0));
  parts.key.textContent = key;
  parts["log-key"].textContent = proof?.log_key ?? "";
  parts.checkpoint.textContent = proof?.checkpoint ?? "";
  show(parts.log, proof !== null);
  show(parts.note, proof !== null);
}

// As the site signed it: the order of the fields is no part of that.
function download() {
  const file = URL.createObjectURL(new Blob([JSON.stringify(receipt, null, 1)], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: file, download: "receipt.json" }).click();
  setTimeout(() => URL.revokeObjectURL(file), RELEASED_MS);
}

// A browser begins to save well within it.
const RELEASED_MS = 60_000;

parts.download.addEventListener("click", download);
parts.print.addEventListener("click", () => window.print());
addEventListener("hashchange", read);
read();
