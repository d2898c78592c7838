// The event stream format once more, straight from the standard and as slow as it reads: to compare the product with.

export interface Interpreted {
  events: { event: string; data: string; lastEventId: string }[];
  lastEventId: string;
  retryMs: number | undefined;
}

/** WHATWG HTML, "Parsing an event stream" and "Interpreting an event stream", on the whole of the bytes. */
export function interpret(bytes: Uint8Array): Interpreted {
  // "UTF-8 decode" takes one leading BOM away and puts U+FFFD for what is not UTF-8.
  const text = new TextDecoder().decode(bytes);
  const lines = text.split(/\r\n|\r|\n/);
  // What stands behind the last end of a line is no line.
  lines.pop();
  const events: Interpreted["events"] = [];
  let retryMs: number | undefined;
  let data = "";
  let type = "";
  let idBuffer = "";
  let lastEventId = "";
  for (const line of lines) {
    if (line === "") {
      lastEventId = idBuffer;
      if (data !== "") events.push({ event: type || "message", data: data.slice(0, -1), lastEventId });
      data = "";
      type = "";
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") type = value;
    if (field === "data") data += `${value}\n`;
    if (field === "id" && !value.includes("\0")) idBuffer = value;
    if (field === "retry" && /^[0-9]+$/.test(value)) retryMs = Number.parseInt(value, 10);
  }
  return { events, lastEventId, retryMs };
}
