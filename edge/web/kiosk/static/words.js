// What the page says by itself, in one place. Not here: what stands in the page's templates, and anything from the node.

export const words = {
  looking: "Looking in our documents…",
  writing: "Writing the answer…",
  answered: "The answer is ready.",
  offline: {
    title: "We cannot reach the machine that answers.",
    detail: "Nothing was lost: your question is still in the box.",
    remedy: "Try again in a moment, or ask at the front desk.",
  },
  offlineStart: {
    title: "We cannot reach the machine that answers.",
    detail: "",
    remedy: "Try again in a moment, or ask at the front desk.",
  },
  cut: {
    title: "The answer was cut off.",
    detail: "We do not show half an answer. Your question is still in the box.",
    remedy: "Try again, or ask at the front desk.",
  },
  busy: {
    title: "Many people are asking right now.",
    detail: "Your question is still in the box.",
  },
  unknown: { title: "Something went wrong on our side.", detail: "", remedy: "Try again, or ask at the front desk." },
  tooLong: {
    title: "That question is too long.",
    remedy: "Shorten it to the part that matters most.",
  },
  ended: "Your last conversation had ended and is erased. Press Start to begin a new one.",
  wiped: "We erased the last conversation because nobody was using this screen.",
  startedOver: "Everything is erased. You can start again.",
  thanks: "Thank you, we noted that.",
  ticketTitle: "Your number",
  ticketText: "A member of staff will take your question. Please keep this number.",
  retryIn: (s) => `You can try again in ${s} ${s === 1 ? "second" : "seconds"}.`,
  retryNow: "You can try again now.",
  left: (n) => `${n} ${n === 1 ? "character" : "characters"} left`,
  over: (n) => `${n} ${n === 1 ? "character" : "characters"} too many`,
  tooLongBy: (n, max) => `It has ${n.toLocaleString()} of at most ${max.toLocaleString()} characters.`,
  sources: (n) => (n === 1 ? "Where this stands in our documents" : `Where this stands in our documents: ${n} places`),
  origin: (doc, version) => (version ? `${doc}, version ${version}` : doc),
  secondsLeft: (s) => `${s} seconds left.`,
  route: {
    answer: "From our documents",
    generate: "Written by AI from our documents",
    overflow: "Written by AI with help from outside this building",
    clarify: "One question back",
    handoff: "Not in our documents",
    refuse: "We cannot answer this here",
    safety: "Important",
  },
  redacted: (names, left) =>
    left
      ? `We recognised personal details (${names}) and replaced them before your question left this building.`
      : `We recognised personal details (${names}); they stay in this building.`,
};

// The contract's entity types, in plain words.
const details = {
  PERSON: "name", ADDRESS: "address", LOCATION: "place", ORGANIZATION: "organisation", DATE: "date",
  DATE_OF_BIRTH: "date of birth", AGE: "age", EMAIL: "email address", PHONE: "phone number", FAX: "fax number",
  URL: "web address", IP_ADDRESS: "network address", MAC_ADDRESS: "device address", CREDIT_CARD: "card number",
  IBAN: "account number", BANK_ACCOUNT: "account number", ROUTING_NUMBER: "bank code",
  US_SSN: "social security number", TAX_ID: "tax number", NATIONAL_ID: "identity number", PASSPORT: "passport number",
  DRIVER_LICENSE: "driving licence", MEDICAL_RECORD: "medical record number", HEALTH_PLAN: "insurance number",
  VEHICLE_ID: "vehicle number", LICENSE_PLATE: "licence plate", DEVICE_ID: "device number", USERNAME: "user name",
  PASSWORD: "password", CRYPTO_ADDRESS: "wallet address", NRP: "nationality, religion or politics", TITLE: "title",
  OTHER_ID: "identifying number",
};

// "phone number, name": each kind once; a kind we do not know is still said.
export function detailNames(types) {
  return [...new Set(types.map((type) => details[type] ?? "other detail"))].join(", ");
}
