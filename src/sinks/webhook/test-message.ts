// The event that a webhook test sends: it is not in the log, and its type says so.

import { ulid } from "ulid";
import type { Notice } from "../../contract/notice-shape.ts";
import { type Message, messageOf } from "./message.ts";

const TYPE = "nexusd.sink.test";

/** @param nowMs wall time, milliseconds since the Unix epoch */
export function testMessage(
  notice: Notice,
  options: { sink: string; nowMs: number; random: () => number; isBatch: boolean },
): Message {
  const { sink, nowMs, random, isBatch } = options;
  const id = ulid(Math.max(1, Math.floor(nowMs)), random);
  const json = JSON.stringify({
    ...{ specversion: "1.0", id, source: `/sinks/${sink}`, type: TYPE, time: new Date(nowMs).toISOString() },
    ...{ datacontenttype: "application/json", data: notice },
  });
  return messageOf([{ id, json }], isBatch);
}
