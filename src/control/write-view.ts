// A write as the API shows it: everything that is stored, and its input once more as JSON.

import type { IncomingMessage } from "node:http";
import { type Actor, shownActor } from "../contract/actor.ts";
import type { ShownWrite } from "../contract/api/writes.ts";
import type { Write, Writes } from "../contract/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import type { Role } from "./context.ts";
import { peerUser } from "./peer-user.ts";

/** Who sends a request: by the socket, and the user whom the kernel names there, where it can be asked. */
export const actorOf = (role: Role, { socket }: IncomingMessage): Actor => ({
  via: `${role}.sock`,
  user: peerUser(socket),
});

/** Whose signatures the policy of now wants for an approval; null: no signature decides it. */
export function signingOf(writes: Pick<Writes, "signing">, write: Write): ShownWrite["signing"] {
  const { signers, quorum } = writes.signing(write) ?? {};
  return quorum === undefined ? null : { signers: signers ? [...signers] : null, quorum };
}

/**
 * The answer's JSON. The input is taken from the stored request as it stands there: read and written again, that of a
 * large proposal would keep everybody else waiting.
 * @param more fields beside those of the write
 */
export const writeText = (
  write: Write,
  more: Partial<Pick<ShownWrite, "previewText" | "signing"> & { token: string }> = {},
): string => {
  const decidedBy = write.decidedBy && shownActor(write.decidedBy);
  return `{"input":${inputText(write)},${stringifyJson({ ...write, decidedBy, ...more }).slice(1)}`;
};

/** Of canonical JSON, in which "input" stands before "operation". */
function inputText({ request, operation, bodyRemovedAt }: Write): string {
  if (bodyRemovedAt !== null) return "null";
  const [begins, ends] = ['{"input":', `,"operation":${JSON.stringify(operation)}}`];
  if (request.startsWith(begins) && request.endsWith(ends)) return request.slice(begins.length, -ends.length);
  // Somebody changed it: shown as it is, for whoever looks into it.
  return JSON.stringify(request);
}
