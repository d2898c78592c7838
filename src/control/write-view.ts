// A write as the API shows it: everything that is stored, plus its input as JSON.

import type { IncomingMessage } from "node:http";
import { type Actor, shownActor } from "../contract/actor.ts";
import type { ShownWrite } from "../contract/api/writes.ts";
import type { Write, Writes } from "../contract/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import type { Role } from "./context.ts";
import { peerUser } from "./peer-user.ts";

/** The sender of a request: the socket, and the user that the kernel reports there, if available. */
export const actorOf = (role: Role, { socket }: IncomingMessage): Actor => ({
  via: `${role}.sock`,
  user: peerUser(socket),
});

/** Whose signatures the current policy requires for an approval; null: no signature decides it. */
export function signingOf(writes: Pick<Writes, "signing">, write: Write): ShownWrite["signing"] {
  const { signers, quorum } = writes.signing(write) ?? {};
  return quorum === undefined ? null : { signers: signers ? [...signers] : null, quorum };
}

/**
 * The answer's JSON. The input is copied from the stored request as text: parsing and serializing that of a large
 * proposal would delay all other requests.
 * @param more additional fields
 */
export const writeText = (
  write: Write,
  more: Partial<Pick<ShownWrite, "previewText" | "signing"> & { token: string }> = {},
): string => {
  const decidedBy = write.decidedBy && shownActor(write.decidedBy);
  return `{"input":${inputText(write)},${stringifyJson({ ...write, decidedBy, ...more }).slice(1)}`;
};

/** From canonical JSON, in which "input" precedes "operation". */
function inputText({ request, operation, bodyRemovedAt }: Write): string {
  if (bodyRemovedAt !== null) return "null";
  const [begins, ends] = ['{"input":', `,"operation":${JSON.stringify(operation)}}`];
  if (request.startsWith(begins) && request.endsWith(ends)) return request.slice(begins.length, -ends.length);
  // It was tampered with: shown as it is, for the investigation.
  return JSON.stringify(request);
}
