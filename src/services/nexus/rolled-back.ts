// Answers of Nexus other than 4xx that still prove that nothing was done.

import type { HttpError } from "../../http/errors.ts";

const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
// Classes and codes that say that it is unknown whether the transaction was committed.
const DOUBTFUL_SQLSTATE = /^(08...|40003|57P0[1-3])$/;

/** PostgREST's answer to an error of PostgreSQL, with its SQLSTATE: the transaction was rolled back. */
export function isRolledBack({ body }: HttpError): boolean {
  if (typeof body !== "object" || body === null) return false;
  if (!("code" in body && "message" in body && "details" in body && "hint" in body)) return false;
  const { code } = body;
  return typeof code === "string" && SQLSTATE.test(code) && !DOUBTFUL_SQLSTATE.test(code);
}
