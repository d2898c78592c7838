// Maps errors of PostgreSQL and of its connection to the few that a person can act on.

import { DatabaseError } from "pg";
import { StoreError, type StoreErrorCode } from "../../contract/store.ts";

const REMEDIES: Record<StoreErrorCode, string> = {
  locked: "stop that one, or name another schema in [store] schema",
  newer_version: "update nexusd, or name another schema in [store] schema",
  corrupt: "see PostgreSQL's log, and restore a backup (docs/fleet.md)",
  full: "free some space there; nexusd goes on by itself",
  read_only: "name the primary in [store] url; nexusd goes on by itself when it takes writes",
  unusable: "see [store] in nexusd.toml",
  busy: "ask for less at once, or try again later",
  io: "nexusd goes on by itself when it is back",
  fenced: "another node does it now",
};

/** A StoreError with a one-line message: the place, the problem, the remedy (unless given, the code's own). */
export const postgresError = (
  code: StoreErrorCode,
  place: string,
  wrong: string,
  { remedy = REMEDIES[code], cause }: { remedy?: string; cause?: unknown } = {},
): StoreError => new StoreError(code, `${place}: ${wrong.replaceAll(/\s+/g, " ")}; ${remedy}`, cause);

/** The connection is lost, or was dropped: whatever was in progress on it may have happened or not. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** The StoreError for an error of a statement; anything else is a defect and is returned unchanged. */
export const toPostgresError = (error: unknown, place: string): unknown => {
  if (error instanceof StoreError) return error;
  if (error instanceof ConnectionLost)
    return postgresError("io", place, `the database cannot be reached (${error.message})`, { cause: error });
  if (error instanceof DatabaseError) return fromServer(error, place);
  if (error instanceof Error && "code" in error && ("syscall" in error || isTls(error)))
    return postgresError("io", place, `the database cannot be reached (${error.message})`, { cause: error });
  return error;
};

const isTls = (error: Error & { code?: unknown }) =>
  /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(`${error.code}`);

const fromServer = (cause: DatabaseError, place: string): Error => {
  const told = (code: StoreErrorCode, wrong: string, remedy?: string) =>
    postgresError(code, place, wrong, { cause, ...(remedy !== undefined && { remedy }) });
  const { code = "", message } = cause;
  switch (code) {
    case "53100":
      return told("full", "no room left on the disk of the database");
    case "25006":
      return told("read_only", "the database takes no writes");
    case "42501":
      return told(
        "read_only",
        `a privilege is missing (${message})`,
        "grant it to the role in [store] url (docs/fleet.md)",
      );
    case "28P01":
    case "28000":
      return told(
        "unusable",
        `the database refuses the login (${message})`,
        "correct user and password in [store] url, or pg_hba.conf",
      );
    case "3D000":
      return told("unusable", message, "create it (createdb), or correct [store] url");
    case "42P01":
    case "3F000":
      return told(
        "unusable",
        `a table of nexusd is missing (${message})`,
        "restore a backup (docs/fleet.md)",
      );
    case "53300":
      return told(
        "io",
        `the database takes no more connections (${message})`,
        "raise max_connections there; each node needs 8",
      );
    case "57014":
      return told("busy", "a statement took too long, and was ended");
    case "55P03":
      return told("io", "another transaction holds the end of the log");
    case "58030":
      return told(
        "io",
        `the database cannot read or write its files (${message})`,
        "check the disk of the database",
      );
    case "40001":
    case "40P01":
      return told("io", `the transaction was ended by another one (${message})`);
  }
  if (code.startsWith("08") || code.startsWith("57P") || code === "25P03" || code.startsWith("53"))
    return told("io", `the database cannot be reached (${message})`);
  if (code.startsWith("XX")) return told("corrupt", `the database reports damage (${message})`);
  return cause; // a constraint, a wrong statement: a defect of ours
};

/** Whether the error means that the server has ended the session. */
export const endsSession = (error: unknown): boolean =>
  error instanceof ConnectionLost ||
  (error instanceof DatabaseError && /^(57P0[1-5]|25P03|08...)$/.test(error.code ?? ""));
