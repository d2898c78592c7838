// Decodes the bytes of an event stream into its events, by the WHATWG HTML standard ("Server-sent events").

import { createParser } from "eventsource-parser";

export interface ServerSentEvent {
  /** "message" where the server named none. */
  event: string;
  data: string;
  /** The last event ID as of this event; "" where the server gave none so far. */
  lastEventId: string;
}

export interface EventDecoder {
  /**
   * The events that these bytes complete, however the stream is split. Undefined once more than `maxLength` arrived
   * without a blank line: an endless line or event is not kept any longer.
   */
  decode(bytes: Uint8Array): ServerSentEvent[] | undefined;
  /** How much is kept of an unfinished event, in UTF-16 units. */
  readonly pending: number;
  /** Whether the last bytes contained any part of an event stream, unlike noise or a page. */
  readonly isReadable: boolean;
  /** To be sent as `Last-Event-ID` with the next connection; "" for none. */
  readonly lastEventId: string;
  /** What the server asked to wait before the next connection (`retry`), in milliseconds. */
  readonly retryMs: number | undefined;
}

/**
 * The lines, fields and the dispatch are eventsource-parser's. The rest is here: UTF-8 across the bounds of pieces, the
 * one BOM, the ID that outlives its event, and a limit on everything that is kept.
 * @param maxLength in UTF-16 units, of which a text has at most as many as bytes
 * @param lastEventId of the connection before
 * @param isStrict whether `decode` throws a TypeError for invalid UTF-8, instead of inserting U+FFFD
 */
export function createEventDecoder(maxLength: number, lastEventId = "", isStrict = false): EventDecoder {
  // The one BOM is taken away here: of a BOM in two pieces Node.js makes two.
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: isStrict });
  let isStart = true;
  const known: { lastEventId: string; retryMs: number | undefined } = { lastEventId, retryMs: undefined };
  let events: ServerSentEvent[] = [];
  let isReadable = false;
  let hasUnknown = false;
  /** Of the line that has not ended yet, the beginning. */
  let lineStart = "";
  const parser = createParser({
    onId: (id) => {
      known.lastEventId = id;
    },
    onRetry: (ms) => {
      known.retryMs = ms;
    },
    onError: () => {
      hasUnknown = true;
    },
    onEvent: ({ event = "message", data }) => events.push({ event, data, lastEventId: known.lastEventId }),
  });
  // A blank line first, so that the parser does not take a second BOM, or the characters that look like one.
  parser.feed("\n");

  // The parser's own limit ignores names, IDs and the number of lines, each of which costs memory, too.
  let sinceBlank = 0;
  let last = "";

  return {
    decode(bytes) {
      let text = utf8.decode(bytes, { stream: true });
      if (isStart && text !== "") {
        isStart = false;
        if (text.startsWith("\uFEFF")) text = text.slice(1);
      }
      isReadable = false;
      if (text === "") return [];
      const blank = lastBlankLine(text);
      if (blank >= 0) sinceBlank = text.length - blank;
      else sinceBlank = text.length + (lastBlankLine(last + text.charAt(0)) < 0 ? sinceBlank : 0);
      last = text.charAt(text.length - 1);
      events = [];
      // The parser drops a line without a known field before its end, and does not report it.
      hasUnknown = !isFieldStart(lineStart);
      parser.feed(text);
      lineStart = startOfLastLine(text, lineStart);
      isReadable = events.length > 0 || (!hasUnknown && isFieldStart(lineStart));
      return sinceBlank > maxLength ? undefined : events;
    },
    get pending() {
      return sinceBlank;
    },
    get isReadable() {
      return isReadable;
    },
    get lastEventId() {
      return known.lastEventId;
    },
    get retryMs() {
      return known.retryMs;
    },
  };
}

const FIELDS = ["data:", "event:", "id:", "retry:"];
const LONGEST_FIELD = 6;

/** Whether a line that begins like this, or has not begun, can be one that the standard knows. */
const isFieldStart = (start: string): boolean =>
  start === "" ||
  start.startsWith(":") ||
  FIELDS.some((field) => start.startsWith(field) || field.startsWith(start));

/** @param before the beginning of the line that the text goes on with */
function startOfLastLine(text: string, before: string): string {
  if (text.endsWith("\n")) return "";
  const at = Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1;
  const start = text.slice(at, at + LONGEST_FIELD);
  return at > 0 ? start : (before + start).slice(0, LONGEST_FIELD);
}

/** Where the last blank line begins, -1 where there is none: two ends of lines in a row that are no CRLF. */
function lastBlankLine(text: string): number {
  const blank = text.lastIndexOf("\n\n");
  // Hardly any server sends a CR; looking for two of them backwards costs more than for one forwards.
  if (!text.includes("\r")) return blank;
  return Math.max(blank, text.lastIndexOf("\n\r"), text.lastIndexOf("\r\r"));
}
