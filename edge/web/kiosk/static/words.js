// What the page says by itself, in one place. Not here: what stands in the page's templates, and anything from the node.

// What the words are written in. Numbers and dates between them are, too, whatever the browser speaks: "6.015 bytes" and a
// date from right to left would be misread here.
const LANGUAGE = "en-GB";

export const words = {
  looking: "Looking in our documents…",
  writing: "Writing the answer…",
  askedAgain: "The machine that answered has stopped. Another one of ours goes on, and looks again…",
  moved: "Another one of our machines answers from now on.",
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
  tooFast: {
    title: "That was a bit fast for this machine.",
    detail: "Your question is still in the box.",
  },
  backAgain: "The connection is back.",
  busy: {
    title: "Many people are asking right now.",
    detail: "Your question is still in the box.",
  },
  askAgain: {
    title: "You can ask again in a moment.",
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
  permitted: "Permitted, from your next question on.",
  takenBack: "Taken back, from your next question on.",
  // On paper it must be comparable with what others write in UTC, so the zone is named.
  moment: (ms) =>
    new Date(ms).toLocaleString(LANGUAGE, {
      day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    }),
  bytes: (n) => `${n.toLocaleString(LANGUAGE)} ${n === 1 ? "byte" : "bytes"}`,
  // "Let out", not "left": the machine that sends may have refused it. The record with the number says how it ended.
  leftBuilding: (bytes, left) =>
    left.length === 0
      ? "0 bytes. Nothing that you asked has left this building."
      : `Let out of this building, to our organisation's own computers: ${left.every((one) => one.record?.outcome === "written") ? "" : "up to "}${words.bytes(bytes)}.`,
  ourComputers: "Our organisation's own computers",
  // What the record of what left has of it; "" where it cannot be read.
  outcome: (outcome) =>
    ({
      written: "It was sent, all of it.",
      failed: "Sending it failed. Some of it may have left.",
      not_sent: "It was not sent.",
      unknown: "It is not known whether all of it left: the machine that sends stopped in between.",
      open: "It is being sent.",
      absent: "It was not sent: our record has no entry of it.",
      elsewhere: "Another of our machines let it out, and has the record.",
    })[outcome] ?? "Our record cannot be read at the moment. It may have left.",
  // What a text passed as under the rules here; they may say "public" without a look at it.
  passedAs: (label) => `Classed as ${label}`,
  byRules: "under our rules number",
  byAnother: "Another of our machines has it",
  unproven: (reason) =>
    (reason === "too_many" || reason === "too_far_back"
      ? "The proof cannot be shown: our record is too long to find all of it at once."
      : "The machine that keeps the record of what leaves does not answer, so the proof is missing. Open this again in a minute.") +
    " All that is told here is the word of the machine that you asked.",
  // `uses`: what was written down before the first byte. Of one that ended badly it is not known how much was told.
  insideSite: (uses) =>
    uses.length === 0
      ? "The machine that you asked told no other server of this building."
      : [...new Set(uses.map((one) => one.service))]
          .map((service) => {
            const its = uses.filter((one) => one.service === service);
            const bytes = words.bytes(its.reduce((sum, one) => sum + one.bytes, 0));
            const all = its.every((one) => one.outcome === "whole");
            return `Inside this building, ${words.toldInside(service)}: ${all ? "" : "up to "}${bytes}.`;
          })
          .join(" "),
  toldInside: (service) =>
    ({
      llm_server: "our server for language models was asked for help",
      mail: "our mail server was told your number for our staff, and nothing that was said",
      webhook: "a server of our staff was told your number, and nothing that was said",
    })[service] ?? "another server was told",
  codeUntil: (minutes) =>
    `It works for ${minutes} minutes, and ends when this screen is erased. It shows nothing of what you asked; whoever scans it sees what you see here.`,
  noCode: (reason) =>
    reason === "loopback"
      ? "There is no code for a phone: this screen reaches its machine by an address that no other device can open."
      : "There is no code for a phone at the moment.",
  linkOver: {
    title: "This link works no longer.",
    detail: "",
    remedy: "It ends with the conversation, after ten minutes, after 60 openings, or when a newer one was made. Open it anew at the screen where you asked, while the conversation is there.",
  },
  linkCut: {
    title: "This link is not whole.",
    detail: "",
    remedy: "Its end is missing, as when another program cut it off. Read the code again, or open the link anew at the screen where you asked.",
  },
  linkUntil: (moment) => `This page can be opened until ${moment}, as long as the conversation is on the screen. What you download or print stays with you.`,
  receiptOf: (moment) => `Made ${moment}, and kept nowhere.`,
  proves: (entries, ours) =>
    entries === 0
      ? "There is no proof at the moment. Our key signed what is told here, so that it cannot be changed without being noticed."
      : ours === 0
        ? `Our record of what leaves had ${entries.toLocaleString(LANGUAGE)} entries. It names nobody, so it cannot show by itself that none of them is about you: that is our word, and our key signed it.`
        : `${ours.toLocaleString(LANGUAGE)} of the ${entries.toLocaleString(LANGUAGE)} entries in our record of what leaves are about you. The receipt has them, with the proof that they are in the record as it is told here. That there are no others is our word, and our key signed it.`,
  receiptMade: (moment) => `Made ${moment}. Once this screen is erased nobody can make it again.`,
  handoffText: (hours) =>
    "Our staff will see this question and its answer, and what you write to them. They keep it until your matter is closed, " +
    `at most ${hours} ${hours === 1 ? "hour" : "hours"}, also after this screen is erased. You get a number and can take it back.`,
  ticketState: (state, operator) =>
    ({
      waiting: "Waiting for a member of staff. Keep this number: it works at the desk, too.",
      human: `${operator || "A member of staff"} is with you.`,
      closed: `${operator || "Our staff"} closed this. What you handed over is erased.`,
      withdrawn: "Taken back. What you handed over is erased.",
      expired: "Nobody could take this in time. What you handed over is erased. Please ask at the desk.",
    })[state] ?? "",
  talkingTo: (state, operator, ticket) =>
    ({
      waiting: `Number ${ticket} is waiting for our staff. Until then the AI goes on answering here.`,
      human: `${operator || "A member of staff"} is with you now. What you write goes to ${operator || "our staff"}, not to the AI.`,
      closed: `Number ${ticket} is closed. You are talking to the AI again.`,
      withdrawn: `Number ${ticket} is taken back. You are talking to the AI.`,
      expired: `Number ${ticket} has expired. You are talking to the AI.`,
      left: `The machine that has number ${ticket} has stopped. Keep the number for the desk. You are talking to the AI.`,
    })[state] ?? "",
  languages: (codes) =>
    codes.length ? `Please write in: ${codes.map((code) => new Intl.DisplayNames([code], { type: "language" }).of(code)).join(", ")}.` : "",
  questionLabel: "Your question",
  messageLabel: (operator) => `Your message to ${operator || "our staff"}`,
  askButton: "Ask",
  sendButton: "Send",
  youAsked: "You asked: ",
  youWrote: (operator) => `You wrote to ${operator || "our staff"}: `,
  fromStaff: (operator) => (operator ? `${operator}, member of staff` : "Member of staff"),
  retryIn: (s) => `You can try again in ${s} ${s === 1 ? "second" : "seconds"}.`,
  retryNow: "You can try again now.",
  left: (n) => `${n} ${n === 1 ? "character" : "characters"} left`,
  over: (n) => `${n} ${n === 1 ? "character" : "characters"} too many`,
  tooLongBy: (n, max) => `It has ${n.toLocaleString(LANGUAGE)} of at most ${max.toLocaleString(LANGUAGE)} characters.`,
  sources: (n) => (n === 1 ? "Where this stands in our documents" : `Where this stands in our documents: ${n} places`),
  origin: (doc, version) => (version ? `${doc}, version ${version}` : doc),
  secondsLeft: (s) => `${s} seconds left.`,
  route: {
    answer: "From our documents",
    generate: "Written by AI from our documents",
    overflow: "Written by AI with help from outside this building",
    clarify: "One question back",
    handoff: "Not in our documents",
    staff: "Our staff can help you",
    desk: "We cannot look this up right now",
    standing: "From our staff",
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
