// A write as the API shows it: everything that is stored, plus its input as JSON.

import { z } from "zod";
import { WRITE_STATES } from "../writes.ts";
import { serviceName } from "./service.ts";

const DOORS = ["agent.sock", "operator.sock", "policy", "nexusd"] as const;

export const actor = z.object({
  via: z.enum(DOORS).describe("How it was proposed"),
  door: z.enum([...DOORS, "signature"]).describe("By what right: a signature if there is one, else `via`"),
  user: z
    .string()
    .nullable()
    .describe("The operating system's user, if the socket reports it; null: unknown"),
  signer: z.string().nullable().describe("The signer; null: no signature"),
});

export const writeState = z.enum(WRITE_STATES);

const fields = {
  id: z.string(),
  operation: z.string(),
  service: serviceName,
  state: writeState,
  input: z.unknown().describe("The input of `request`; null once the body was removed"),
  request: z
    .string()
    .describe("Canonical JSON of operation and input: what `digest` covers; empty once the body was removed"),
  digest: z.string().describe("SHA-256 of `request`; an approval names it"),
  preview: z.object({
    method: z
      .string()
      .describe(
        "LOCAL: nothing is sent, only nexusd's own state changes; REMOVED: `bodyRemovedAt` says when",
      ),
    url: z.string(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    body: z.string().nullable(),
    notice: z.string().exactOptional().describe("What a decision needs to know besides the request"),
  }),
  precondition: z.string().nullable().describe("What must still hold when it is executed; canonical JSON"),
  target: z.string(),
  idempotent: z.boolean(),
  destructive: z.boolean(),
  approval: z.enum(["operator", "auto", "deny", "signed"]).describe("The policy at the time of the proposal"),
  reason: z.string().nullable(),
  agent: z.string().nullable().describe("The name that the proposing agent gave itself; it is not verified"),
  idempotencyKey: z.string().nullable(),
  account: z
    .object({ origin: z.string(), credential: z.string(), fingerprint: z.string().nullable() })
    .nullable()
    .describe("Where it is sent, and with which credential: a fingerprint that tells one key from another"),
  isBound: z.boolean().describe("Whether an agent needs the proposal's token to cancel it"),
  proposedAt: z.string(),
  expiresAt: z.string(),
  shownAt: z.string().nullable(),
  decidedAt: z.string().nullable(),
  decidedBy: actor.nullable(),
  signedBy: z
    .array(
      z.object({
        signer: z.string(),
        key: z.string().describe("The fingerprint of the key"),
        at: z.string(),
      }),
    )
    .describe("Who signed its approval, even if more signers are required"),
  note: z
    .string()
    .nullable()
    .describe("The operator's words: the reason of a rejection, the note of an approval"),
  executingAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  attempts: z.int().describe("Requests that were put on the wire, or may have been"),
  result: z
    .object({
      output: z.unknown().exactOptional(),
      error: z.object({ code: z.string(), message: z.string() }).exactOptional(),
      remedy: z.string().exactOptional().describe("How to find out whether it was executed"),
    })
    .nullable(),
  outcome: z.enum(["succeeded", "failed"]).nullable().describe("The outcome that `resolved` recorded"),
  bodyRemovedAt: z
    .string()
    .nullable()
    .describe(
      "When request, preview, precondition and output were removed, long after it finished " +
        "(`jobs.retention.keep_bodies`); null: they are still stored",
    ),
};

export const writeSchema = z.object(fields).meta({ id: "Write" });

/** Declared to match exactly what the write path returns. */
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
    "bodyRemovedAt",
  ),
  about: z.string().describe("Target and change in a few words; text of unknown origin"),
  error: z.object({ code: z.string(), message: z.string() }).nullable().describe("Why it failed"),
};
export const summarySchema = z.object(summaryFields).meta({ id: "WriteSummary" });

export const shownWrite = z
  .object({
    ...fields,
    previewText: z
      .string()
      .describe("The whole request for a person, with invisible characters made visible"),
    signing: z
      .object({
        signers: z.array(z.string()).nullable().describe("null: everybody in the file of signers"),
        quorum: z.int().describe("How many signers are required"),
      })
      .nullable()
      .describe(
        "Whose signatures the current policy requires for an approval; null: it is not decided by signatures",
      ),
  })
  .meta({ id: "ShownWrite" });

/** A write with what a person needs to know before deciding on it. */
export const writeReview = z
  .object({
    write: writeSchema.extend({ signing: shownWrite.shape.signing }),
    preview: shownWrite.shape.previewText,
    about: z
      .object({
        text: z.string().describe('Target and change in words: "order NX-1006: pending → shipped"'),
        target: z
          .object({
            kind: z.string().describe('What it is: "order", "session"'),
            id: z.string(),
            label: z.string().exactOptional().describe("What people call it, where nexusd knows that"),
          })
          .nullable()
          .describe("null: it makes something new, or names nothing"),
        changes: z.array(
          z.object({
            field: z.string(),
            from: z
              .string()
              .nullable()
              .describe("As read at the proposal, and checked again before it is executed; null: not known"),
            to: z.string(),
            now: z
              .string()
              .nullable()
              .describe("What nexusd has read of it last (`asOf`), which may be old; null: not known"),
          }),
        ),
        asOf: z.string().nullable().describe("When `now` and `label` were read; null: they are not known"),
      })
      .describe("Text of unknown origin, with invisible characters made visible; long values are cut"),
    previous: z
      .object({
        id: z.string(),
        decidedAt: z.string().nullable(),
        lines: z
          .array(z.object({ kind: z.enum(["same", "added", "removed"]), text: z.string() }))
          .describe("Its request as lines, and what of this one is added to them and removed"),
      })
      .nullable()
      .describe(
        "The write of this operation that was approved last; null: there is none whose request is still kept",
      ),
    history: z
      .array(
        z.object({
          ...{ id: z.string(), operation: z.string(), state: writeState },
          at: z.string().describe("When it came into that state"),
          reason: z.string().nullable().describe("Why it was asked for"),
        }),
      )
      .describe("The other writes on the same target, the newest first; at most ten"),
  })
  .meta({ id: "WriteReview" });

export const writeCounts = z.object(keyed(WRITE_STATES)).describe("How many writes are in each state");

export const proposed = writeSchema.extend({
  token: z
    .string()
    .exactOptional()
    .describe("If it was proposed with `bind`: returned only once, and needed to cancel"),
});

export const writePage = z.object({
  writes: z.array(z.union([writeSchema, summarySchema])),
  next: z.string().nullable().describe("What to pass as `after` next; null: there are no more"),
});

/** The result for many proposals at once. */
export const rejected = z.object({
  count: z.int().describe("How many were rejected, or would be"),
  writes: z
    .array(
      z.object({
        ...{ id: z.string(), operation: z.string(), agent: z.string().nullable() },
        ...{ reason: z.string().nullable(), proposedAt: z.string() },
      }),
    )
    .describe("The first hundred of them, newest first"),
});

export type RejectedView = z.output<typeof rejected>;
export type ProposedWrite = z.output<typeof proposed>;
export type WriteView = z.output<typeof writeSchema>;
export type WriteSummaryView = z.output<typeof summarySchema>;
export type WriteReviewView = z.output<typeof writeReview>;
export type ShownWrite = z.output<typeof shownWrite>;

function pick<K extends keyof typeof fields>(...keys: K[]): Pick<typeof fields, K> {
  // As above: exactly these keys.
  return Object.fromEntries(keys.map((key) => [key, fields[key]])) as Pick<typeof fields, K>;
}

function keyed<K extends string>(states: readonly K[]): Record<K, z.ZodInt> {
  // fromEntries loses the key type.
  return Object.fromEntries(states.map((state) => [state, z.int()])) as Record<K, z.ZodInt>;
}
