// The content of one request: events as they are in the log, with an id derived from theirs. The same events always
// have the same id.

import { createHash } from "node:crypto";

export interface Message {
  /** `webhook-id`. */
  id: string;
  body: string;
  contentType: string;
}

/** An event as it is served, with its CloudEvents id. */
export interface Sendable {
  id: string;
  json: string;
}

/** One event as itself, or some as a list. @param events in their order, one at least */
export function messageOf(events: readonly [Sendable, ...Sendable[]], isBatch: boolean): Message {
  if (!isBatch)
    return {
      id: events[0].id,
      body: events[0].json,
      contentType: "application/cloudevents+json; charset=utf-8",
    };
  const ids = createHash("sha256").update(events.map(({ id }) => id).join(" "));
  return {
    id: `batch_${ids.digest("base64url").slice(0, 32)}`,
    body: `[${events.map(({ json }) => json).join(",")}]`,
    contentType: "application/cloudevents-batch+json; charset=utf-8",
  };
}

// Written by the log itself, at the head of each event.
const ID = /^\{"specversion":"1\.0","id":"([^"]+)"/;

/** @throws Error where the log has an event without an id */
export function sendable({ json, sequence }: { json: string; sequence: number }): Sendable {
  const [, id] = ID.exec(json) ?? [];
  if (id === undefined) throw new Error(`event ${sequence} of the log has no id`);
  return { id, json };
}
