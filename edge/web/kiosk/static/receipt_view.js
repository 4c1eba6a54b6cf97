// What a receipt says, put into the parts of a page or a dialog (receipt_parts.html).

import { clone, show } from "./dom.js";
import { words } from "./words.js";

export function tell(parts, receipt) {
  parts.told.textContent = words.leftBuilding(receipt.left_bytes, receipt.left);
  parts.left.replaceChildren(...receipt.left.map(item));
  show(parts.left, receipt.left.length > 0);
  show(parts.before, receipt.left.length > 0);
  parts.inside.textContent = words.insideSite(receipt.site_network);
  parts["unproven-text"].textContent = words.unproven(receipt.proof_missing);
  show(parts.unproven, !receipt.proof);
}

function item(one) {
  const { root, parts } = clone("part-left");
  const record = one.record;
  parts.bytes.textContent = words.bytes(one.bytes);
  parts.when.textContent = words.moment(one.at_ms);
  parts.to.append(words.ourComputers);
  for (const address of record?.addresses ?? []) parts.to.append(", ", machine(address));
  parts.outcome.textContent = words.outcome(one.envelope ? record?.outcome ?? "" : "elsewhere");
  parts.rule.append(words.passedAs(one.label));
  if (record?.policy) parts.rule.append(" ", words.byRules, " ", machine(record.policy.slice(0, RULES_SHOWN)));
  parts.envelope.append(one.envelope ? machine(one.envelope) : words.byAnother);
  return root;
}

// So many characters of a policy's hash tell it from the others of one site.
const RULES_SHOWN = 12;

// What machines are called: the same way round in every language.
function machine(text) {
  return Object.assign(document.createElement("code"), { textContent: text, dir: "ltr" });
}
