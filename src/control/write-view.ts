// A write as the API shows it: everything that is stored, and its input once more as JSON.

import { z } from "zod";

import { WRITE_STATES, type Write } from "../contract/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import type { Role } from "./context.ts";
import { serviceName } from "./fields.ts";

export const actor = z.object({
  via: z.enum(["agent.sock", "operator.sock", "policy", "nexusd"]),
  user: z
    .string()
    .nullable()
    .describe("The operating system's user, where the socket tells; null: not known"),
});

/**
 * Who sends a request, by the socket alone. The user is not known: Node.js has no call for the credentials of the
 * process at the other end of a Unix socket (SO_PEERCRED).
 */
export const actorOf = (role: Role): z.output<typeof actor> => ({ via: `${role}.sock`, user: null });

export const writeState = z.enum(WRITE_STATES);

const fields = {
  id: z.string(),
  operation: z.string(),
  service: serviceName,
  state: writeState,
  input: z.unknown().describe("The input of `request`"),
  request: z.string().describe("Canonical JSON of operation and input: what `digest` covers"),
  digest: z.string().describe("SHA-256 of `request`; an approval names it"),
  preview: z.object({
    method: z.string().describe("LOCAL: nothing is sent, only what nexusd itself keeps changes"),
    url: z.string(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    body: z.string().nullable(),
    notice: z.string().optional().describe("What the person who decides should know beside the request"),
  }),
  precondition: z.string().nullable().describe("What must still be so when it is executed; canonical JSON"),
  target: z.string(),
  idempotent: z.boolean(),
  destructive: z.boolean(),
  approval: z.enum(["operator", "auto", "deny"]),
  reason: z.string().nullable(),
  agent: z
    .string()
    .nullable()
    .describe("The name that the proposing agent gave itself; nobody has checked it"),
  idempotencyKey: z.string().nullable(),
  account: z
    .object({ origin: z.string(), credential: z.string(), fingerprint: z.string().nullable() })
    .nullable()
    .describe("Where it is sent, and with which credential: a fingerprint that tells one key from another"),
  isBound: z.boolean().describe("Whether an agent needs the proposal's token to withdraw it"),
  proposedAt: z.string(),
  expiresAt: z.string(),
  shownAt: z.string().nullable(),
  decidedAt: z.string().nullable(),
  decidedBy: actor.nullable(),
  note: z
    .string()
    .nullable()
    .describe("The operator's words: the reason of a rejection, the note of an approval"),
  executingAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  attempts: z.int().describe("Requests that were put on the wire, or may have been"),
  result: z
    .object({
      output: z.unknown().optional(),
      error: z.object({ code: z.string(), message: z.string() }).optional(),
      remedy: z.string().optional().describe("How to find out what became of it"),
    })
    .nullable(),
  outcome: z.enum(["succeeded", "failed"]).nullable().describe("What `resolved` found it to have been"),
};

export const writeSchema = z.object(fields).meta({ id: "Write" });

/** Declared to be exactly what the write path gives. */
const summaryFields = {
  ...pick(
    "id",
    "operation",
    "service",
    "state",
    "digest",
    "target",
    "destructive",
    "approval",
    "reason",
    "agent",
    "proposedAt",
    "expiresAt",
    "decidedAt",
    "executingAt",
    "finishedAt",
    "note",
    "outcome",
  ),
  about: z.string().describe("Target and change in a few words; text of unknown origin"),
  error: z.object({ code: z.string(), message: z.string() }).nullable().describe("Why it failed"),
};
export const summarySchema = z.object(summaryFields).meta({ id: "WriteSummary" });

export const shownWrite = z
  .object({
    ...fields,
    previewText: z.string().describe("The whole request for a person, with what is invisible made visible"),
  })
  .meta({ id: "ShownWrite" });

/**
 * The answer's JSON. The input is taken from the stored request as it stands there: read and written again, that of a
 * large proposal would keep everybody else waiting.
 * @param more fields beside those of the write
 */
export const writeText = (
  write: Write,
  more: Partial<Pick<z.output<typeof shownWrite>, "previewText"> & { token: string }> = {},
): string => `{"input":${inputText(write)},${stringifyJson({ ...write, ...more }).slice(1)}`;

/** Of canonical JSON, in which "input" stands before "operation". */
function inputText({ request, operation }: Write): string {
  const [begins, ends] = ['{"input":', `,"operation":${JSON.stringify(operation)}}`];
  if (request.startsWith(begins) && request.endsWith(ends)) return request.slice(begins.length, -ends.length);
  // Somebody changed it: shown as it is, for whoever looks into it.
  return JSON.stringify(request);
}

export const writeCounts = z.object(keyed(WRITE_STATES)).describe("How many writes are in each state");

function pick<K extends keyof typeof fields>(...keys: K[]): Pick<typeof fields, K> {
  // As above: of exactly these keys.
  return Object.fromEntries(keys.map((key) => [key, fields[key]])) as Pick<typeof fields, K>;
}

function keyed<K extends string>(states: readonly K[]): Record<K, z.ZodInt> {
  // fromEntries forgets which keys it was given.
  return Object.fromEntries(states.map((state) => [state, z.int()])) as Record<K, z.ZodInt>;
}
