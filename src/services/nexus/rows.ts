// Requests for the tables of Nexus as PostgREST takes them, and the rows in its answers.

import { HttpError } from "../../http/errors.ts";
import { fieldsOf, present } from "../input.ts";
import { type Facts, type OperationAnswer, OperationError, type OperationRequest } from "../operation.ts";

/** The newest first; the id makes the order whole. */
export const NEWEST_FIRST = "created_at.desc,id.desc";

/** A query of PostgREST. The values are whole conditions ("eq.pending"): they need encoding, and no quoting. */
type Query = Record<string, string | number | undefined>;

const table = (
  facts: Facts,
  method: OperationRequest["method"],
  name: string,
  query: Query,
  more: Pick<OperationRequest, "headers" | "json"> = {},
): OperationRequest => {
  const parameters = new URLSearchParams(
    Object.entries(present(query)).map(([key, value]) => [key, String(value)]),
  );
  return {
    method,
    origin: facts.origins.nexus,
    path: `/rest/v1/${name}${parameters.size > 0 ? `?${parameters}` : ""}`,
    label: `${method} /rest/v1/${name}`,
    ...more,
    credential: { kind: "nexus" },
  };
};

export const readRows = (facts: Facts, name: string, query: Query) => table(facts, "GET", name, query);

/**
 * A write of one row. PostgREST takes it back and answers 406 where it would be none, or several: without this a
 * change of nothing looks like success.
 */
export const writeRow = (
  facts: Facts,
  method: "POST" | "PATCH",
  name: string,
  query: Query,
  json: Record<string, unknown>,
) =>
  table(facts, method, name, query, {
    headers: { accept: "application/vnd.pgrst.object+json", prefer: "return=representation" },
    json,
  });

/** @throws HttpError where it is no list */
export const rowsOf = ({ status, body }: OperationAnswer, name: string): Record<string, unknown>[] => {
  if (Array.isArray(body)) return body.map(fieldsOf);
  throw new HttpError({
    kind: "invalid_body",
    service: "nexus",
    label: `GET /rest/v1/${name}`,
    status,
    code: "unexpected_shape",
    message: `nexus: GET /rest/v1/${name} answered ${status}, but no list of rows`,
    retryable: false,
    maybeSent: true,
  });
};

/** The one row that is asked for by its id. @throws OperationError `no_row_matched` */
export const rowOf = (answer: OperationAnswer, name: string): Record<string, unknown> => {
  const [row] = rowsOf(answer, name);
  if (row) return row;
  throw noRow(name);
};

/**
 * The row that was written; null where the server does not show it.
 * @throws OperationError `no_row_matched` where it says that it was none
 */
export const writtenRow = ({ body }: OperationAnswer, name: string): unknown => {
  if (!Array.isArray(body)) return body ?? null;
  if (body.length === 0) throw noRow(name);
  return body[0];
};

const noRow = (name: string) =>
  new OperationError(
    "no_row_matched",
    `No such row in ${name}, or none that the organization of nexus.api_key can see.`,
  );
