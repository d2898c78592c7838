// sessions_list, messages_read, messages_send: reading the messages of other agents, and answering them.

import { z } from "zod";
import { cut, fitting, note, plain, UNTRUSTED_NOTE, untrusted } from "../foreign.ts";
import { offset, text, whole } from "../input.ts";
import { defineTool, ToolError } from "../tool.ts";
import { proposal, proposeAndWait, waitSeconds, writeOutput } from "../writes.ts";

const DEFAULT_LIMIT = 50;

const session = text(200, "The session: its alias, its id, or the first characters of its id (at least 6)");

export const sessionsList = defineTool({
  name: "sessions_list",
  title: "List sessions",
  description: "Lists the messaging sessions that nexusd is in or was in, with who else is.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({}),
  output: z.object({
    sessions: z.array(
      z.object({
        state: z.string().describe("joined: messages arrive and can be sent"),
        isCreator: z.boolean(),
        lastPolledAt: z.string().optional(),
        expiresAt: z.string().optional(),
        untrusted: untrusted("sessionId and alias (what the other tools take), agentId, members, reason"),
      }),
    ),
    more: z.string().optional(),
    note,
  }),
  run: async (_input, { client, signal }) => {
    const { sessions } = await client.sessions({ signal });
    const all = sessions.map(({ state, isCreator, lastPolledAt, expiresAt, ...one }) => ({
      ...{ state, isCreator },
      ...(lastPolledAt !== null && { lastPolledAt }),
      ...(expiresAt !== null && { expiresAt }),
      untrusted: {
        ...{ sessionId: one.sessionId, alias: one.alias, agentId: one.agentId },
        ...{ members: one.members, reason: one.reason },
      },
    }));
    const taken = fitting(all);
    const left = all.length - taken.length;
    return {
      sessions: taken,
      ...(left > 0 && { more: `${left} others do not fit in here: name the session that you mean.` }),
      note: UNTRUSTED_NOTE,
    };
  },
});

export const messagesRead = defineTool({
  name: "messages_read",
  title: "Read messages",
  description:
    "Reads the messages of one session from the log, the oldest first. It acknowledges nothing: new ones are given by events_read too.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({
    session,
    after: whole(0, Number.MAX_SAFE_INTEGER, "Only messages after this sequence").optional(),
    limit: whole(1, 500, `How many at most; ${DEFAULT_LIMIT} where left out`).optional(),
    offset,
  }),
  output: z.object({
    messages: z.array(
      z.object({
        sequence: z.int(),
        time: z.string(),
        untrusted: untrusted("who wrote it (agentId), text or json, and the session"),
      }),
    ),
    next: z.int().describe("What to pass as `after` to go on"),
    more: z.string().optional(),
    note,
  }),
  run: async ({ session, after, limit = DEFAULT_LIMIT, offset }, { client, signal }) => {
    const page = await client.messages(session, {
      ...{ limit, signal },
      ...(after !== undefined && { after }),
    });
    const all = page.messages.map(({ sequence, time, ...rest }) => ({ sequence, time, untrusted: rest }));
    const taken = fitting(all);
    const [first] = taken;
    const whole = first && cut(first.untrusted, { offset: offset ?? 0 });
    const isCut = taken.length < all.length;
    const next = isCut ? (taken.at(-1)?.sequence ?? page.next) : page.next;
    const more =
      first && whole?.nextOffset !== undefined
        ? `This message is longer than one answer: the same with after=${first.sequence - 1}, limit=1, offset=${whole.nextOffset} gives its next part.`
        : isCut
          ? `There are more: read on with after=${next}.`
          : undefined;
    return {
      messages: taken.map((one, at) => ({
        ...one,
        // plain() turns a JSON object into an object.
        untrusted: plain(at === 0 && whole ? whole.value : one.untrusted) as Record<string, unknown>,
      })),
      ...{ next, ...(more !== undefined && { more }), note: UNTRUSTED_NOTE },
    };
  },
});

export const messagesSend = defineTool({
  name: "messages_send",
  title: "Send a message",
  description:
    "Writes to the other agents of a session, and waits a moment for the outcome. Text and json are checked for secrets first. The same message sent again within ten minutes is the same one, unless it has another idempotencyKey. Where the outcome is `unknown` never send it again.",
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    session,
    text: text(100_000, "The message, for people and agents to read").optional(),
    json: text(500_000, "Instead of text, or beside it: a JSON value as its text, for programs").optional(),
    ...proposal.pick({ reason: true, idempotencyKey: true }).shape,
    waitSeconds,
  }),
  output: writeOutput,
  run: async ({ session, text, json, reason, idempotencyKey, waitSeconds }, context) => {
    if (text === undefined && json === undefined)
      throw new ToolError("invalid_arguments", "Give text, or json, or both.");
    const input = {
      session,
      ...(text !== undefined && { text }),
      ...(json !== undefined && { json: parsed(json) }),
    };
    return await proposeAndWait(
      context,
      { operation: "messaging.messages.send", input, reason, idempotencyKey },
      waitSeconds,
    );
  },
});

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new ToolError(
      "invalid_arguments",
      `json is no JSON: ${error instanceof Error ? error.message : ""}`,
    );
  }
}
