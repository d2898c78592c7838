// Schema drift: the database has another column, table or value than requested. No retry helps; a person has to act.

import { HttpError } from "../../http/errors.ts";
import { fieldsOf } from "../input.ts";

export interface Drift {
  kind: "column" | "table" | "relation" | "value";
  /** The name of what is missing, if the answer has it in a form that is safe to log. */
  name: string | null;
}

/** SQLSTATEs, which every version returns, and PostgREST's own codes, before the database is asked. */
const KINDS: Record<string, Drift["kind"]> = {
  "42703": "column",
  PGRST204: "column",
  "42P01": "table",
  PGRST205: "table",
  PGRST200: "relation",
  "22P02": "value",
};

const NAME: Record<Drift["kind"], RegExp> = {
  // `column stock_balances.on_hand does not exist`, `Could not find the 'on_hand' column of …`
  column: /(?:column|the) ['"]?(?:\w+\.)?(\w+)['"]? (?:does not exist|column of)/,
  // `relation "public.stock" does not exist`, `Could not find the table 'public.stock' in the schema cache`
  table: /(?:relation|table) ['"]?(?:\w+\.)?(\w+)['"]? (?:does not exist|in the)/,
  relation: /and ['"]?(\w+)['"]? in the schema cache/,
  value: /: "([\w ]{1,60})"$/,
};

/** What an error says about the schema; undefined if it is about something else. */
export function driftOf(error: unknown): Drift | undefined {
  if (!(error instanceof HttpError) || error.kind !== "status") return undefined;
  const kind = Object.hasOwn(KINDS, error.code) ? KINDS[error.code] : undefined;
  if (!kind) return undefined;
  const { message } = fieldsOf(error.body);
  return { kind, name: NAME[kind].exec(typeof message === "string" ? message : "")?.[1] ?? null };
}

/** Rare, since only a change of the configuration or of the vendor's schema helps. */
const LOOK_AGAIN_MS = 60 * 60_000;

/** The watch that found it. */
export interface Drifted {
  job: string;
  table: string;
  /** Those that `columns` can map, by our names. */
  columns: readonly string[];
  /** The setting with the value that is requested. */
  valueKey?: string | undefined;
  /** The setting that leaves this table out, if it can be left out. */
  without?: string;
}

/** The failure of the watch: what is missing, what to set, and the next attempt in an hour. */
export function driftError(error: HttpError, drift: Drift, watch: Drifted): HttpError {
  const { job, table, columns, valueKey, without } = watch;
  const named = drift.name === null ? "" : ` ${drift.name}`;
  const section = `in [jobs.${job}]`;
  const column = columns.find((name) => name.split(".").at(-1) === drift.name);
  const whatToSet =
    without !== undefined
      ? `set ${without} = false ${section}`
      : drift.kind === "value" && valueKey !== undefined
        ? `set ${valueKey} ${section}`
        : drift.kind === "column"
          ? `set columns = { "${column ?? drift.name ?? "NAME"}" = "its name there" } ${section}, or "" to leave it out`
          : drift.kind === "relation"
            ? `set its columns to "" in columns ${section}`
            : `check that [nexus] base_url is the right project, or set enabled = false ${section}`;
  const what = {
    column: `${table} has no column${named}`,
    table: `there is no table${named || ` ${table}`}`,
    relation: `${table} has no relation to${named || " the table it is read with"}`,
    value: `${table} does not know the value${named}`,
  }[drift.kind];
  return new HttpError({
    kind: "status",
    service: "nexus",
    label: error.label,
    ...(error.status === undefined ? {} : { status: error.status }),
    code: "schema_drift",
    message: `nexus: ${what}: ${whatToSet}. nexusd tries it again every hour.`,
    retryable: false,
    retryAfterMs: LOOK_AGAIN_MS,
    maybeSent: true,
    cause: error,
  });
}
