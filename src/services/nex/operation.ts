// The operations of Nex as rows of a table: the rows say what is special, and this file what all share.

import { z } from "zod";
import { unexpectedShape } from "../../http/answer.ts";
import { HttpError } from "../../http/errors.ts";
import { fieldsOf, opaqueId, segment } from "../input.ts";
import {
  type Credential,
  type Facts,
  type Operation,
  type OperationAnswer,
  OperationError,
  type OperationRequest,
  type ReadCall,
} from "../operation.ts";
import { PREFIX } from "./client.ts";

export type Fields = Record<string, unknown>;

export const API_KEY = {
  kind: "nex",
  headers: { authorization: "‹api key›" },
} as const satisfies Credential;

/** How a resource is looked up: before it is deleted, and if it is unknown whether it was. */
interface Look {
  /** Like `call`, a read. */
  call: `GET /${string}`;
  /** The resource in the answer, if that is a list; undefined: not there. */
  find?: (answer: OperationAnswer, input: Fields) => Fields | undefined;
  /** What a person sees of it, and what must still hold when it is executed. */
  show: (found: Fields) => Fields;
  /** Whether it only exists as archived. */
  isGone?: (found: Fields) => boolean;
}

interface CommonRow {
  name: `nex.${string}.${string}`;
  /** Method and path below `/v1`; names in braces are ids from the input. */
  call: `${OperationRequest["method"]} /${string}`;
  title: string;
  description: string;
  /**
   * The fields of the input. Those not in the path become the query of a GET or DELETE, else the body, each under its
   * own name in snake case or the one in `named`.
   */
  input?: () => z.core.$ZodShape;
  /** Rules across several fields. */
  rules?: (schema: z.ZodObject) => z.ZodType<Fields>;
  named?: Record<string, string>;
  /** The body, if it is not just the fields. */
  body?: (input: Fields) => Fields;
  output: (answer: OperationAnswer, input: Fields, label: string) => unknown;
}

interface ReadRow extends CommonRow {
  effect: "read";
}

interface WriteRow extends CommonRow {
  effect: "write";
  idempotent: boolean;
  destructive?: boolean;
  look?: Look;
  howToFindOut?: string;
}

export type Row = ReadRow | WriteRow;

/** The operations of a table, in order. */
export const nexTable = (rows: readonly Row[]): Operation<Fields>[] => rows.map(toOperation);

function toOperation(row: Row): Operation<Fields> {
  const { name, effect, title, description } = row;
  const isWrite = effect === "write";
  let input: z.ZodType<Fields> | undefined;
  const operation: Operation<Fields> = {
    name,
    service: "nex",
    effect,
    title,
    description,
    idempotent: !isWrite || row.idempotent,
    destructive: isWrite && row.destructive === true,
    // Built when it is first used: even an unused zod schema is larger than everything else together.
    get input() {
      input ??= inputOf(row);
      return input;
    },
    request: (fields, facts) => requestOf(row, fields, facts),
    output: (answer, fields) => row.output(answer, fields, labelOf(row.call)),
  };
  if (!isWrite) return operation;
  if (row.call.includes("{")) operation.target = (fields) => `nex${pathOf(row.call, fields)}`;
  if (row.howToFindOut !== undefined) operation.howToFindOut = row.howToFindOut;
  return row.look ? withLook(operation, row.look) : operation;
}

function withLook(operation: Operation<Fields>, look: Look): Operation<Fields> {
  operation.precondition = async (input, facts, read) => {
    const found = await lookUp(look, input, facts, read);
    if (found) return look.show(found);
    throw new OperationError("no_row_matched", `${operation.name} has nothing to do: Nex does not have it.`);
  };
  operation.readBack = async (input, facts, read) => {
    const found = await lookUp(look, input, facts, read).catch(undefinedWhereNotFound);
    if (found && look.isGone?.(found) !== true) return { kind: "not_found" };
    // The lost answer would have been empty, too.
    return { kind: "done", output: operation.output({ status: 200, headers: {}, body: undefined }, input) };
  };
  return operation;
}

const inputOf = ({ input, rules }: Row): z.ZodType<Fields> => {
  const schema = z.strictObject(input?.() ?? {});
  return rules?.(schema) ?? schema;
};

const methodOf = (call: CommonRow["call"]) =>
  // What stands before the first blank, by the type of `call`.
  call.slice(0, call.indexOf(" ")) as OperationRequest["method"];

const templateOf = (call: CommonRow["call"]) => call.slice(call.indexOf(" ") + 1);

const labelOf = (call: CommonRow["call"]) =>
  `${methodOf(call)} /v1${templateOf(call).replace(/\{(\w+)\}/g, ":$1")}`;

const PLACEHOLDER = /\{(\w+)\}/g;

const pathOf = (call: CommonRow["call"], input: Fields) =>
  templateOf(call).replace(PLACEHOLDER, (_, field: string) => segment(String(input[field])));

function requestOf(
  { call, named = {}, body }: Pick<CommonRow, "call" | "named" | "body">,
  input: Fields,
  facts: Facts,
): OperationRequest {
  const method = methodOf(call);
  const inPath = new Set([...templateOf(call).matchAll(PLACEHOLDER)].map(([, field]) => field));
  const rest = Object.fromEntries(
    Object.entries(input).flatMap(([field, value]) =>
      inPath.has(field) || value === undefined ? [] : [[named[field] ?? snakeCase(field), value]],
    ),
  );
  const hasQuery = method === "GET" || method === "DELETE";
  const query = new URLSearchParams(
    hasQuery ? Object.entries(rest).map(([key, value]): [string, string] => [key, String(value)]) : [],
  ).toString();
  const json = hasQuery ? undefined : (body?.(input) ?? rest);
  return {
    method,
    origin: facts.origin,
    path: `${PREFIX}${pathOf(call, input)}${query && `?${query}`}`,
    label: labelOf(call),
    // A POST without fields has no body.
    ...(json && Object.keys(json).length > 0 && { json }),
    credential: API_KEY,
  };
}

const snakeCase = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

async function lookUp({ call, find }: Look, input: Fields, facts: Facts, read: ReadCall) {
  const ids = Object.fromEntries(
    [...templateOf(call).matchAll(PLACEHOLDER)].map(([, field = ""]) => [field, input[field]]),
  );
  const answer = await read(requestOf({ call }, ids, facts));
  return find ? find(answer, input) : fieldsOf(unwrapped(answer.body));
}

function undefinedWhereNotFound(error: unknown): undefined {
  if (!(error instanceof HttpError && error.status === 404)) throw error;
}

/** An answer without the one field that wraps some answers of Nex. */
const unwrapped = (body: unknown): unknown => {
  const entries = Object.entries(fieldsOf(body));
  const [key, value] = entries[0] ?? [];
  return entries.length === 1 && (key === "data" || key === "message") && value !== null ? value : body;
};

/** The answer, without a wrapper, as this field of the output. */
export const one = (field: string) => (answer: OperationAnswer) => ({
  [field]: unwrapped(answer.body) ?? null,
});

/** The answer unchanged, except for a wrapper. */
export const whole = ({ body }: OperationAnswer): unknown => unwrapped(body) ?? null;

/**
 * A list in every wrapper that Nex has been seen to use, as this field of the output; what stands beside it (the total,
 * the next cursor) is kept. @throws HttpError for an answer without a list
 */
export const many =
  (field: string, ...wrappings: string[]) =>
  ({ status, body }: OperationAnswer, _input: Fields, label: string) => {
    if (Array.isArray(body)) return { [field]: body };
    const fields = fieldsOf(body);
    const key = ["data", field, ...wrappings].find((name) => Array.isArray(fields[name]));
    if (key === undefined) throw unknownShape(status, label);
    const { [key]: items, ...rest } = fields;
    return { [field]: items, ...rest };
  };

/**
 * For a list without pages, which Nex silently cuts at the limit: whether there may be more.
 * @param most its limit if the input has none
 */
export const mayHaveMore = (items: unknown, { limit }: Fields, most: number): boolean =>
  Array.isArray(items) && items.length >= Number(limit ?? most);

/** For an answer without content: what was deleted, archived or removed. */
export const gone = (verb: string, field: string) => (_answer: OperationAnswer, input: Fields) => ({
  [verb]: input[field],
});

export const unknownShape = (status: number, label: string) =>
  unexpectedShape({ service: "nex", label, status }, "in an unknown shape");

/** An id of Nex: a string or an integer, exact. */
export const id = (what: string) => opaqueId.describe(what);
export const objectSlug = () => id("The kind of record by its slug, such as person or company");
export const recordId = () => id("The id of the record");

/** At least one field besides those that identify what is changed. */
export const atLeastOneOf =
  (...fields: string[]) =>
  (schema: z.ZodObject): z.ZodType<Fields> =>
    schema.refine((input) => fields.some((field) => input[field] !== undefined), {
      message: `needs at least one of ${fields.join(", ")}`,
    });
