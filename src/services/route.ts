// An API route of a service: a view of what nexusd stores of it, or an action on it.

import type { z } from "zod";
import type { ProblemCode } from "../contract/problem-codes.ts";
import type { Store } from "../contract/store.ts";

/** What the route's schemas made of a request; undefined if it has none of the kind. */
export interface RouteRequest<Params = unknown, Query = unknown, Body = unknown> {
  params: Params;
  query: Query;
  body: Body;
}

export interface Route {
  method: "GET" | "POST";
  /** `/v1/<service>/…`, with parameters as ":name". */
  path: string;
  /** Only on operator.sock. */
  isForOperators?: boolean;
  /** A search: only a limited number run at once. */
  isExpensive?: boolean;
  operationId: string;
  summary: string;
  description?: string;
  /** What the description of the API lists it under. */
  tag: string;
  params?: z.ZodType;
  query: z.ZodType;
  body?: z.ZodType;
  answer: z.ZodType;
  /** Problems that only its handler can answer with. */
  problems: readonly ProblemCode[];
  /** @throws OperationError, PositionError, StoreError: answered as the problem of the same code */
  handle(request: RouteRequest): Promise<unknown>;
}

/** An answer that is JSON text already: parsed and written again it would cost time, and lose digits of large integers. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A route whose handler knows the types that its schemas make. */
export const defineRoute = <
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  A extends z.ZodType,
>(
  route: Omit<Route, "handle"> & {
    params?: P;
    query: Q;
    body?: B;
    answer: A;
    handle(request: RouteRequest<z.output<P>, z.output<Q>, z.output<B>>): Promise<z.input<A> | JsonText>;
  },
): Route => route;

/**
 * An event as a view shows it: the fields of its data, after its position in the log.
 * @param event its time and data as JSON text
 */
export function loggedText({
  sequence,
  time,
  data,
}: {
  sequence: number;
  time: string;
  data: string;
}): string {
  const members = data.slice(1);
  return `{"sequence":${sequence},"time":${time}${members === "}" ? "" : ","}${members}`;
}

/** When a source was read last, for `asOf` of a view. @returns RFC 3339 UTC; null: never */
export const observedAt = async (store: Pick<Store, "readCursor">, source: string): Promise<string | null> =>
  (await store.readCursor(source))?.updatedAt ?? null;
