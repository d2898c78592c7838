// Nexus has four error formats: PostgREST's, the gateway's, a function's, and JSON-RPC's. Here they become one: the
// code, what it means, and what to do.

import { HttpError } from "../../http/errors.ts";
import { fieldsOf } from "../input.ts";

interface Meaning {
  /** nexusd's own code, if it has one for this. */
  code?: string;
  says: string;
}

const NO_COLUMN: Meaning = {
  says: "Nexus does not have this column, or no longer has it. nexus.rest.select of the table without `columns` shows its columns.",
};
const NO_TABLE: Meaning = {
  says: "Nexus does not have this table, or shows none of it to this key.",
};
const FORBIDDEN: Meaning = {
  says: "the agent key has no permission for this. Check its scopes (read, write, admin), or set nexus.api_key to one that has it.",
};

/** By code: of PostgREST, an SQLSTATE, one of the platform or of a function. */
const BY_CODE: Record<string, Meaning> = {
  PGRST116: {
    code: "no_row_matched",
    says: "it matched no row of this organization, or more than one: nothing was changed.",
  },
  "42703": NO_COLUMN,
  PGRST204: NO_COLUMN,
  "42P01": NO_TABLE,
  PGRST205: NO_TABLE,
  PGRST200: { says: "Nexus knows no relation between these tables: read them one by one." },
  PGRST201: { says: "Nexus knows several relations between these tables: read them one by one." },
  PGRST100: { says: "Nexus does not understand the query. Check its filters and order." },
  PGRST103: { says: "there are no rows that far: start again with the first page." },
  "22P02": {
    says: "a value does not have the type of its column. Check ids, numbers and the names of states.",
  },
  "22007": { says: "Nexus does not understand a time: use RFC 3339 with an offset." },
  "23502": { says: "a value that Nexus needs is missing." },
  "23503": { says: "it refers to something that does not exist in Nexus. Check the ids." },
  "23505": { says: "Nexus already has such a row: look for it first." },
  "23514": { says: "Nexus does not allow one of the values." },
  "428C9": { says: "Nexus computes this column: leave it out." },
  "42501": FORBIDDEN,
  "57014": { says: "the query took too long for Nexus: ask for less, with a filter or a smaller limit." },
  insufficient_scope: FORBIDDEN,
  plan_limit_exceeded: {
    says: "the plan of the organization does not allow more of this. Check its usage and plan in Nexus.",
  },
  WORKER_LIMIT: { says: "the function ran out of resources at Nexus. Ask for less, or try later." },
  BOOT_ERROR: { says: "the function does not start at Nexus. Try later; if this persists, tell Nexus." },
  NOT_FOUND: { says: "Nexus does not have this function, or no longer has it." },
};

const BY_STATUS: Record<number, Meaning> = {
  402: {
    says: "the project at Nexus is restricted, because of its quota or unpaid bills. Only Nexus can fix that.",
  },
  403: FORBIDDEN,
  404: { says: "There is nothing at this address. Check nexus.base_url." },
  429: { says: "too many requests. nexusd waits as long as Nexus asks." },
  540: { says: "the project at Nexus is paused. Only Nexus can resume it." },
  544: { says: "the gateway of Nexus waited too long. Try later." },
  546: { says: "the function ran out of resources at Nexus. Ask for less, or try later." },
};

/** The error with its meaning; an unknown one stays unchanged. */
export function explained(error: HttpError): HttpError {
  if (error.kind !== "status" || error.status === undefined) return error;
  const code = codeOf(error);
  const meaning = (Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined) ?? BY_STATUS[error.status];
  if (!meaning) return error;
  const { retryable, retryAfterMs, maybeSent, headers, body, service, label, status } = error;
  return new HttpError({
    ...{ kind: "status", service, label, status, retryable, maybeSent, headers, body },
    code: meaning.code ?? code,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    message: `${error.message}: ${meaning.says}`,
    cause: error,
  });
}

/** The platform names its own failures in a header, whatever the body says. */
function codeOf({ code, headers, body }: HttpError): string {
  if (Object.hasOwn(BY_CODE, code)) return code;
  const fields = fieldsOf(body);
  const named = [headers["sb-error-code"], fields.code, fields.error].find(
    (name) => typeof name === "string" && Object.hasOwn(BY_CODE, name),
  );
  return typeof named === "string" ? named : code;
}
