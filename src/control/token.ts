// The token with which whoever made something keeps it to itself: given out once, kept as a hash.

import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Role } from "./context.ts";
import { Problem } from "./problem.ts";

const HEADER = "nexusd-token";

export const newToken = (): string => `nxd_tok_${randomBytes(24).toString("base64url")}`;

/** As it is stored: of 192 random bits a plain hash tells nothing. */
export const tokenHash = (token: string): string => createHash("sha256").update(token).digest("hex");

/** What the caller can show: undefined on operator.sock, which needs no token. */
export function shownToken(role: Role, headers: IncomingHttpHeaders): string | undefined {
  if (role === "operator") return undefined;
  const given = headers[HEADER];
  return typeof given === "string" ? tokenHash(given) : NONE;
}

/** As the store takes it. */
export function proofIn(role: Role, headers: IncomingHttpHeaders): { proof?: string } {
  const proof = shownToken(role, headers);
  return proof === undefined ? {} : { proof };
}

/** No hash of a token. */
const NONE = "none";

export const notYours = (what: string): Problem =>
  new Problem(
    "token_required",
    `${what} needs the token that was returned when it was created: send it in the header Nexusd-Token. Operators need none.`,
  );
