// A second parser of event streams, written straight from the standard and slow: the product is compared with it.

export interface Interpreted {
  events: { event: string; data: string; lastEventId: string }[];
  lastEventId: string;
  retryMs: number | undefined;
}

/** WHATWG HTML, "Parsing an event stream" and "Interpreting an event stream", on all of the bytes at once. */
export function interpret(bytes: Uint8Array): Interpreted {
  // "UTF-8 decode" removes one leading BOM and replaces invalid bytes by U+FFFD.
  const text = new TextDecoder().decode(bytes);
  const lines = text.split(/\r\n|\r|\n/);
  // Text after the last line end is not a line.
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
