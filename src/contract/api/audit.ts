// The record of every write as the API shows it, and whether it is intact.

import { z } from "zod";
import { AUDIT_MARKS, WRITE_MARKS, WRITE_STATES } from "../writes.ts";
import { actor } from "./writes.ts";

export const auditRow = z
  .object({
    sequence: z.int(),
    at: z.string(),
    action: z.enum([...WRITE_MARKS, ...WRITE_STATES, ...AUDIT_MARKS]),
    writeId: z.string().describe("Empty for rows about the audit log itself"),
    digest: z
      .string()
      .describe("Of the write; for a checkpoint or pruned rows: the hash of the last row that it covers"),
    actor,
    detail: z.string().describe("Canonical JSON"),
    covers: z
      .string()
      .exactOptional()
      .describe(
        "Canonical JSON of `{set, event}`: the columns of the write that the step set, long ones by their hash, and the event of the step",
      ),
    previousHash: z.string(),
    hash: z.string().describe("SHA-256 over all the other fields"),
  })
  .meta({ id: "AuditRow" });

export const auditPage = z.object({
  rows: z.array(auditRow),
  next: z.int().describe("What to pass as `after` next"),
});

export const auditVerdict = z.object({
  ok: z.boolean(),
  rows: z.int().describe("The number of rows ever written: the sequence of the last one"),
  head: z
    .string()
    .nullable()
    .describe("The hash of the last row: kept elsewhere, it proves all rows up to it"),
  pruned: z
    .object({ to: z.int(), at: z.string(), row: z.int(), checkpoint: z.int() })
    .nullable()
    .describe("The rows 1 to `to` were removed, as row `row` records; row `checkpoint` had signed them off"),
  brokenAt: z.object({ sequence: z.int(), why: z.string() }).exactOptional(),
  changed: z
    .array(z.object({ writeId: z.string(), why: z.string() }))
    .describe("The first twenty writes and events that do not match the chain"),
  changedCount: z.int().describe("How many there are in all"),
  noted: z
    .object({ head: z.string(), row: z.int().nullable() })
    .exactOptional()
    .describe("The row with the hash `head`; null: the chain was cut or rebuilt since it was noted"),
});

export type AuditRowView = z.output<typeof auditRow>;
export type AuditVerdictView = z.output<typeof auditVerdict>;
export type AuditPage = z.output<typeof auditPage>;
