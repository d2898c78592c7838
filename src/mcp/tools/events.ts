// events_read, events_ack, events_wait: reading the log as a consumer.

import { z } from "zod";
import type { ConsumerDetailView } from "../../contract/api/consumers.ts";
import { noticeOf, noticeText } from "../../contract/notice.ts";
import { cut, fitting, note, plain, UNTRUSTED_NOTE, untrusted } from "../foreign.ts";
import { consumer, offset, whole } from "../input.ts";
import { defineTool, ToolError } from "../tool.ts";

const DEFAULT_LIMIT = 50;
const LONGEST_WAIT_S = 45;
const DEFAULT_WAIT_S = 25;

const event = z.object({
  sequence: z.int().describe("Its place in the log: what events_ack takes"),
  type: z.string(),
  time: z.string(),
  untrusted: untrusted("source, subject and data of the event"),
});

const gap = z
  .object({ from: z.int(), to: z.int() })
  .optional()
  .describe("Events that retention removed before they were read");

export const eventsRead = defineTool({
  name: "events_read",
  title: "Read new events",
  description:
    "Reads the oldest events that the consumer has not acknowledged: messages, insights, stock, orders, what became of writes. They are given again until events_ack is called. With `after` it reads the log from there, whatever was acknowledged.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({
    consumer,
    after: whole(
      0,
      Number.MAX_SAFE_INTEGER,
      "Read the log after this sequence, and not a consumer",
    ).optional(),
    types: z
      .array(z.string())
      .optional()
      .describe('With `after`: only these types, or patterns such as "messaging.*"'),
    limit: whole(1, 500, `How many at most; ${DEFAULT_LIMIT} where left out`).optional(),
    offset,
  }),
  output: z.object({
    consumer: z.string().optional(),
    events: z.array(event),
    next: z
      .int()
      .describe("What to acknowledge when all of these are done with, and what to pass as `after` to go on"),
    latest: z.int().describe("The newest sequence of the log"),
    gap,
    more: z.string().optional().describe("How to get what did not fit into this answer"),
    note,
  }),
  run: async ({ consumer, after, types, limit = DEFAULT_LIMIT, offset }, context) => {
    const { client, signal } = context;
    const name = after === undefined ? await context.consumer(consumer) : undefined;
    const page =
      name === undefined
        ? await client.readEvents({ ...{ after: after ?? 0, limit, signal }, ...(types && { types }) })
        : await client.consumers.read(name, { limit, signal });
    const shown = page.events.map(({ sequence, type, time, source, subject, data }) => ({
      ...{ sequence: Number(sequence), type, time },
      untrusted: { source, ...(subject !== undefined && { subject }), data },
    }));
    const taken = fitting(shown);
    const [first] = taken;
    const whole = first && cut(first.untrusted.data, { offset: offset ?? 0 });
    const events = taken.map((one, at) => ({
      ...one,
      untrusted: plain(at === 0 && whole ? { ...one.untrusted, data: whole.value } : one.untrusted),
    }));
    const isCut = taken.length < shown.length;
    const last = taken.at(-1)?.sequence;
    const rest =
      first && whole?.nextOffset !== undefined
        ? `Event ${first.sequence} is longer than one answer: events_read with after=${first.sequence - 1}, limit=1, offset=${whole.nextOffset} gives its next part.`
        : isCut || page.next < page.latest
          ? `There are more: read on with after=${isCut ? last : page.next}, or acknowledge these and read again.`
          : undefined;
    return {
      ...(name !== undefined && { consumer: name }),
      ...{ events: events as z.input<typeof event>[], latest: page.latest },
      next: isCut && last !== undefined ? last : page.next,
      ...(page.gap && { gap: page.gap }),
      ...(rest !== undefined && { more: rest }),
      note: UNTRUSTED_NOTE,
    };
  },
});

const position = z.object({
  consumer: z.string(),
  position: z.int().describe("The last acknowledged sequence"),
  pending: z.int().describe("How many events it has not acknowledged, counted up to 1000"),
  isMore: z.boolean().describe("Whether there are more than `pending`"),
  oldest: z.int().optional().describe("The first sequence that is pending"),
  newest: z.int().optional(),
  types: z.looseObject({}).describe("How many of each type are among those counted"),
  summary: z.string(),
});

function shown(found: ConsumerDetailView): z.input<typeof position> {
  const notice = noticeOf(found.name, found.pending);
  const { consumer, pending, isMore, oldest, newest, types } = notice;
  return {
    ...{ consumer, position: found.position, pending, isMore, types },
    ...(oldest !== null && { oldest }),
    ...(newest !== null && { newest }),
    summary: noticeText(notice),
  };
}

export const eventsAck = defineTool({
  name: "events_ack",
  title: "Acknowledge events",
  description:
    "Says that every event up to a sequence is done with: they are not given again. Call it after the work, not before, with the sequence of the last event that you have dealt with.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: z.strictObject({
    consumer,
    sequence: whole(0, Number.MAX_SAFE_INTEGER, "The sequence of the last event that is done with"),
  }),
  output: position,
  run: async ({ consumer, sequence }, context) => {
    const name = await context.consumer(consumer);
    await context.client.consumers.ack(name, sequence, { signal: context.signal });
    return shown(await found(name, context.client.consumers.get(name, { signal: context.signal })));
  },
});

export const eventsWait = defineTool({
  name: "events_wait",
  title: "Wait for events",
  description:
    "Waits until the consumer has something to read, and says how much and of which types. It gives no events: read them with events_read. What is pending already is told at once; nothing pending at the end is no failure.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({
    consumer,
    timeoutSeconds: whole(
      0,
      LONGEST_WAIT_S,
      `For how long at most; ${DEFAULT_WAIT_S} where left out`,
    ).optional(),
  }),
  output: position,
  run: async ({ consumer, timeoutSeconds = DEFAULT_WAIT_S }, context) => {
    const name = await context.consumer(consumer);
    const waiting = context.client.consumers.get(name, {
      ...{ waitMs: timeoutSeconds * 1000, signal: context.signal },
    });
    return shown(await found(name, waiting));
  },
});

async function found<T>(name: string, asked: Promise<T | undefined>): Promise<T> {
  const answer = await asked;
  if (answer !== undefined) return answer;
  throw new ToolError("consumer_not_found", `There is no consumer "${name}".`);
}
