// One request of the contract: query and body out, the typed answer back, together with its exact text.

import { patiently, type Time } from "./patience.ts";
import { type Answer, parsed, REPEATABLE, type Role, type Transport } from "./transport.ts";

/** Options of every call. */
export interface CallControl {
  signal?: AbortSignal | undefined;
  /** Which socket; default: the agents', for operators' calls the operators'. */
  role?: Role | undefined;
  /** The longest time without data, in milliseconds; the default is enough for the call. */
  timeoutMs?: number | undefined;
}

type QueryValue = string | number | readonly string[] | undefined;

interface Request extends CallControl {
  query?: Record<string, QueryValue>;
  body?: unknown;
  /** The token of a bound consumer or write. */
  token?: string | undefined;
  headers?: Record<string, string>;
}

export interface Requester {
  /** @throws NexusdError; the signal's reason */
  ask<T extends object>(method: string, path: string, request?: Request): Promise<T>;
  /** For answers that are plain text. */
  text(method: string, path: string, request?: Request): Promise<string>;
  /** For answers without a body. */
  tell(method: string, path: string, request?: Request): Promise<void>;
}

const answers = new WeakMap<object, Answer>();

/**
 * The answer behind a value that a call returned: its text exactly as the daemon sent it, its status, its headers.
 * @throws TypeError for any other value
 */
export function answerOf(value: object): Answer {
  const answer = answers.get(value);
  if (!answer) throw new TypeError("this is not what a call of the client gave");
  return answer;
}

/** @param patience how long a request that may be sent twice is retried if the daemon is unavailable or busy */
export function createRequester(transport: Transport, patience: Time & { forMs: number }): Requester {
  const send = (method: string, path: string, { query = {}, token, headers, ...rest }: Request = {}) => {
    const { timeoutMs, ...options } = rest;
    const call = () =>
      transport.call(method, withQuery(path, query), {
        ...options,
        ...(timeoutMs !== undefined && { timeoutMs }),
        headers: { ...headers, ...(token !== undefined && { "nexusd-token": token }) },
      });
    const { signal } = options;
    return REPEATABLE.has(method) ? patiently(call, { ...patience, signal }) : call();
  };
  return {
    async ask<T extends object>(method: string, path: string, request?: Request) {
      const answer = await send(method, path, request);
      const value = parsed<T>(answer);
      if (typeof value === "object" && value !== null) answers.set(value, answer);
      return value;
    },
    text: async (method, path, request) => (await send(method, path, request)).text,
    async tell(method, path, request) {
      await send(method, path, request);
    },
  };
}

function withQuery(path: string, query: Record<string, QueryValue>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of value === undefined ? [] : [value].flat()) given.append(name, String(one));
  return given.size === 0 ? path : `${path}?${given}`;
}

/** A path with one part that is data. */
export const at = (before: string, part: string, after = ""): string =>
  `${before}/${encodeURIComponent(part)}${after}`;

const MARGIN_MS = 15_000;

/** The query of a long poll, and its timeout. */
export const waitFor = (waitMs: number | undefined): { wait?: string; timeoutMs?: number } =>
  waitMs === undefined || waitMs <= 0
    ? {}
    : { wait: `${Math.ceil(waitMs)}ms`, timeoutMs: waitMs + MARGIN_MS };
