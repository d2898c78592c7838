// What belongs to one step of a write whatever the database: its event, and what is counted along.

import { type Actor, shownActor } from "../contract/actor.ts";
import type { NewEvent, StoredEvent } from "../contract/new-event.ts";
import type { AuditRow, PreviewRequest, Write, WriteResult, WriteState } from "../contract/writes.ts";
import { canonicalRecord, digestOf } from "../core/canonical-json.ts";
import { parseJson, stringifyJson } from "../core/exact-json.ts";
import type { NewRow, WriteRow } from "./write-rows.ts";

export const NEXUSD: Actor = { via: "nexusd", user: null };

/** Neither rejected nor finished. */
export const OPEN_STATES: readonly WriteState[] = ["proposed", "approved", "executing"];

export const isOpen = (state: WriteState): boolean => OPEN_STATES.some((open) => open === state);

/** The result of a step: the write after it, the state before it, and its event. */
export interface Step {
  write: Write;
  from: WriteState | null;
  event: StoredEvent;
  audit: AuditRow;
  /** The events that were committed with it. */
  observed?: StoredEvent[];
}

/** @param mark what happened where the state stays as it is */
export function stepEvent(after: Write, at: string, actor: Actor, mark?: "signed"): NewEvent {
  const { state, operation, id, digest, agent, reason, note, result } = after;
  const { door, user, signer } = shownActor(actor);
  return {
    type: `write.${mark ?? state}`,
    source: `/writes/${id}`,
    subject: operation,
    time: at,
    data: {
      ...{ writeId: id, operation, state, digest, agent, reason, note, error: result?.error ?? null },
      actor: { door, user, signer },
    },
  };
}

export const bytesOf = ({ request, preview }: Pick<WriteRow, "request" | "preview">): number =>
  Buffer.byteLength(request) + Buffer.byteLength(preview);

/** The long fields, as they are shown. */
export const lengthOf = ({ request, preview, result }: WriteRow): number =>
  request.length + preview.length + (result?.length ?? 0);

export const proposalDetail = (row: NewRow): string =>
  canonicalRecord({
    operation: row.operation,
    target: row.target,
    approval: row.approval,
    reason: row.reason,
    agent: row.agent,
    idempotencyKey: row.idempotency_key,
    expiresAt: row.expires_at,
    // So that a changed preview can be told from the one that was proposed.
    previewDigest: digestOf(row.preview),
  });

/** The fields that do not change while a write is executed. */
export const lasting = ({ attempts: _, shownAt: __, ...rest }: Write): string => stringifyJson(rest);

/** In place of the preview, whose shape others rely on. */
const REMOVED: PreviewRequest = { method: "REMOVED", url: "", headers: [], body: null };

/** What is left of a write whose body is removed. */
export const withoutBody = (result: string | null, at: string) => ({
  ...{ request: "", preview: stringifyJson(REMOVED), precondition: null },
  ...{ result: errorOf(result), body_removed_at: at },
});

/** The reason of a failure is short, and lists show it. */
const errorOf = (result: string | null): string | null => {
  if (result === null) return null;
  const { error } = parseJson(result) as WriteResult; // as stored
  return error === undefined ? null : stringifyJson({ error });
};
