// A complete, believable reading of a watched set: all of it, or an error, so that no edge is made of a failure.

import { HttpError } from "../../http/errors.ts";
import type { Filter, NexusClient, Row } from "./client.ts";

export interface Reading {
  /** Every row that meets the filter now, by id. */
  current: Map<string, Row>;
  /** The rows that were in the set before and are not now, as they are; an id that is missing here was deleted. */
  departed: Map<string, Row>;
}

/**
 * @param known ids of the rows that were in the set at the last reading
 * @throws HttpError; `empty_reading` when Nexus shows no row at all where there were some: the sign of a token
 * without rights, not of an empty shop
 */
export async function readWatchedSet(
  nexus: NexusClient,
  watch: { table: string; select: string; filter: Filter },
  known: Iterable<string>,
  signal: AbortSignal,
): Promise<Reading> {
  const { table, select, filter } = watch;
  const current = new Map<string, Row>();
  for await (const page of nexus.readAll(table, select, filter, signal))
    for (const row of page) current.set(row.id, row);

  const gone = [...known].filter((id) => !current.has(id));
  if (gone.length > 0 && current.size === 0 && !(await nexus.hasAnyRow(table, signal)))
    throw new HttpError({
      kind: "invalid_body",
      service: "nexus",
      label: `GET /rest/v1/${table}`,
      code: "empty_reading",
      message: `nexus: ${table} shows no row at all, where there were ${gone.length}: not believed. Check the scopes of nexus.api_key.`,
      retryable: true,
      maybeSent: true,
    });
  const departed = new Map<string, Row>();
  for (const row of await nexus.readByIds(table, select, gone, signal)) departed.set(row.id, row);
  return { current, departed };
}

/** Column values of rows nobody promised the types of. */
export const asText = (value: unknown): string | null =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint" ? String(value) : null;

export const asNumber = (value: unknown): number | null => {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "bigint") return Number(number);
  return typeof number === "number" && Number.isFinite(number) ? number : null;
};
