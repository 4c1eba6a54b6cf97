// Server-sent events out of a fetch body, as https://html.spec.whatwg.org/#event-stream-interpretation reads them.
// Not here: reconnection. A turn that broke is asked again at a sibling (api.js), else by the person.

// Longest event that is still parsed; an answer with its sources is a few KiB.
const EVENT_CHARS_MAX = 1_000_000;

// Yields {name, data, id} for each event of `body` (a ReadableStream of bytes). Ends when nothing at all, not even a
// comment, came for `patienceMs`; null: waits for ever.
export async function* events(body, patienceMs = null) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await within(reader.read(), patienceMs);
      if (done) return; // what is left was not ended by an empty line, so it never counted
      buffer = (buffer + value).replace(/\r\n?/g, "\n");
      if (buffer.length > EVENT_CHARS_MAX) throw new Error("event too long");
      for (let end; (end = buffer.indexOf("\n\n")) >= 0; buffer = buffer.slice(end + 2)) {
        const event = parse(buffer.slice(0, end));
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function within(read, patienceMs) {
  if (patienceMs === null) return read;
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(() => resolve({ done: true }), patienceMs); });
  return Promise.race([read, late]).finally(() => clearTimeout(timer));
}

function parse(block) {
  let name = "message";
  let id = "";
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue; // a comment keeps the line open
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { name, data: data.join("\n"), id } : null;
}
