// The token that reserves an object for its creator: returned once, stored as a hash.

import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Role } from "./context.ts";
import { Problem } from "./problem.ts";

const HEADER = "nexusd-token";

export const newToken = (): string => `nxd_tok_${randomBytes(24).toString("base64url")}`;

/** As stored: a plain hash of 192 random bits reveals nothing. */
export const tokenHash = (token: string): string => createHash("sha256").update(token).digest("hex");

/** The token that the caller presents: undefined on operator.sock, which needs none. */
export function shownToken(role: Role, headers: IncomingHttpHeaders): string | undefined {
  if (role === "operator") return undefined;
  const given = headers[HEADER];
  return typeof given === "string" ? tokenHash(given) : NONE;
}

/** In the form that the store expects. */
export function proofIn(role: Role, headers: IncomingHttpHeaders): { proof?: string } {
  const proof = shownToken(role, headers);
  return proof === undefined ? {} : { proof };
}

/** Not the hash of any token. */
const NONE = "none";

export const notYours = (what: string): Problem =>
  new Problem(
    "token_required",
    `${what} needs the token that was returned when it was created: send it in the header Nexusd-Token. Operators need none.`,
  );
