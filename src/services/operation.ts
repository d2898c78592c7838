// What an operation is: one call of a service, from its input to the request, with its effect declared.

import type { z } from "zod";
import type { Failure, Service } from "../contract/new-event.ts";
import type { HttpRequest } from "../http/client.ts";
import type { HttpError } from "../http/errors.ts";

/** Which credential the request carries: its service adds it, the preview names it, and nothing else ever holds it. */
export interface Credential {
  /** "none", "session", or the name of the service whose key it is. */
  readonly kind: string;
  /** Its headers, with what a person sees instead: `‹api key›`. */
  readonly headers: Readonly<Record<string, string>>;
}

export const NO_CREDENTIAL: Credential = { kind: "none", headers: {} };

/** A request as an operation builds it: everything except the credential. */
export interface OperationRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Scheme, host and port: the service's, or the server that a session is bound to. */
  origin: string;
  /** Path and query, encoded. */
  path: string;
  /** The path with placeholders, for logs and errors: "PATCH /rest/v1/orders". */
  label: string;
  /** Without those of the credential. Names in lower case. */
  headers?: Record<string, string>;
  /** Sent as JSON, integers above 2^53 (bigint) exact. */
  json?: unknown;
  credential: Credential;
  /** For a read: an answer that is at most this many milliseconds old is acceptable. */
  maxAgeMs?: number;
}

/** What a request depends on besides its input, read once before it is built; it makes `request` a pure function. */
export interface Facts {
  /** The origin of the service, as configured. */
  readonly origin: string;
}

/** What a person sees of a request. */
export interface ShownRequest {
  /** Complete, with the query. */
  url: string;
  headers: readonly { name: string; value: string }[];
  body: string | null;
}

/** Of a service by its name. @throws OperationError `service_disabled` */
export type ReadFacts = (service: string) => Promise<Facts>;

/** An answer as an operation reads it. */
export interface OperationAnswer {
  status: number;
  headers: Record<string, string>;
  /** Parsed exactly; undefined when the body was empty. */
  body: unknown;
}

/** A change to what nexusd stores of the service; only the `changes` of that service can read it. */
export type Effect = unknown;

/** Sends one read for an operation: for preconditions and for finding out the outcome of a write. */
export type ReadCall = (request: OperationRequest) => Promise<OperationAnswer>;

/** A text in what a write sends. */
export interface OutgoingText {
  /** Its place in the input: `["json", "steps", 2]`. */
  path: (string | number)[];
  text: string;
  /** The name of the member that holds it, if the caller chose the name and it is sent, too. */
  name?: string;
}

/** What nexusd stores about the object that a write would change, for the person who decides on it. */
export interface LocalView {
  /** What people call it; null: it has no name. */
  label: string | null;
  /** Its present state, by the names of the input; left out if it is not stored. */
  fields: Readonly<Record<string, unknown>>;
  /** When that was read, RFC 3339; null: unknown. */
  asOf: string | null;
}

/** What the service shows about a write whose outcome was in doubt. */
export type Finding<E = Effect> =
  | { kind: "done"; output: unknown; effects?: E[] }
  | { kind: "not_found" }
  | { kind: "cannot_tell" };

/** What a refusal means if it is not simply a failure of the write. */
export type RefusalMeaning<E = Effect> =
  | { kind: "done"; output: unknown; effects?: E[] }
  | { kind: "failed"; error: Failure; effects?: E[] }
  /** It says nothing yet: ask again later. */
  | { kind: "retry" };

export interface Operation<I = unknown, F extends Facts = Facts, E = Effect> {
  /** `service.noun.verb` */
  name: string;
  service: Service;
  effect: "read" | "write";
  /** Whether repeating it has the same effect as doing it once: only then is it ever repeated. */
  idempotent: boolean;
  /** Deletes permanently: shown as such, and never covered by a wildcard `auto` policy. */
  destructive: boolean;
  /** The same for some of its inputs, as they are stored. */
  isDestructiveFor?: (input: I, facts: F) => boolean;
  title: string;
  description: string;
  /** A strict object, every field described. */
  input: z.ZodType<I>;
  /** JSON Schema of the input from the service; default: derived from `input`. */
  inputSchema?: Record<string, unknown>;
  /** The input with local names (an alias) replaced by full ones: this is what is stored, shown and approved. */
  normalize?: (input: I, facts: F) => I;
  /**
   * Builds the request from the input, the facts and what the precondition read. Left out: a write that only changes
   * nexusd's own state.
   */
  request?: (input: I, facts: F, read?: unknown) => OperationRequest;
  /** Reads the answer leniently. @throws HttpError or OperationError if a 2xx says that nothing was done */
  output: (answer: OperationAnswer, input: I, read?: unknown) => unknown;
  /**
   * What nexusd itself stores of a write that succeeded: committed in one transaction with its result. Keys go here,
   * never into the output. @throws OperationError if the answer cannot be right
   */
  effects?: (answer: OperationAnswer, input: I, facts: F) => E[];
  /** The same for one whose outcome stays unknown. */
  effectsInDoubt?: (input: I, facts: F) => E[];
  /** The session that it leaves, which the job must not join again meanwhile. */
  holds?: (input: I) => string;
  /**
   * Reads a complete 4xx answer to its request: undefined, a failure under the service's code. An HttpError of `read`
   * means that it cannot be decided yet. `facts` are those that the request was made from, `now` returns today's.
   */
  refused?: (
    error: HttpError,
    input: I,
    facts: F,
    read: ReadCall,
    now: () => Promise<F>,
  ) => Promise<RefusalMeaning<E> | undefined>;
  /** Writes of the same target are executed one after the other; default: the operation's name. */
  target?: (input: I) => string;
  /** Whether an answer other than 4xx still proves that nothing was done. */
  isRolledBack?: (error: HttpError) => boolean;
  /**
   * What must still hold when it is executed: read at the proposal, shown, stored, and read again just before. Compared
   * as canonical JSON.
   */
  precondition?: (input: I, facts: F, read: ReadCall) => Promise<unknown>;
  /** Looks for the effect of a write whose answer was lost. `startedAt` in ms since the epoch. */
  readBack?: (input: I, facts: F, read: ReadCall, startedAt: number) => Promise<Finding<E>>;
  /** How a write with it is described to a person, by what it changes; left out: by the operation's own words. */
  subject?: (name: string) => string;
  /** What a person who decides a write should know besides the request; stored with the proposal. */
  notice?: () => string | undefined;
  /** For a person, if the outcome stays unknown: how to find out. */
  howToFindOut?: string;
}

/** How a service declares its operations: with the types of its facts, and of the input of each. */
export const defineOperationsOf =
  <F extends Facts, E = Effect>() =>
  <I>(
    operation: Omit<Operation<I, F, E>, "destructive"> & { destructive?: boolean },
  ): Operation<I, F, E> => ({
    destructive: false,
    ...operation,
  });

export type OperationErrorCode =
  | "session_not_found"
  | "ambiguous_session"
  | "service_unavailable"
  | "service_disabled"
  | "no_row_matched"
  | "tool_failed"
  | "plan_limit_exceeded"
  | "refused";

/** A refusal that comes from nexusd itself, not from HTTP. */
export class OperationError extends Error {
  override readonly name = "OperationError";
  readonly code: OperationErrorCode;

  constructor(code: OperationErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** For whom a request is sent, and a callback with how long it waited for nexusd's limits. */
export type SentFor = Pick<HttpRequest, "onWaited" | "mayBegin"> & {
  /** Default: an agent's read or write. */
  priority?: "people" | "agent_reads" | "agent_writes";
};

/** How one request of an operation is sent. */
export type Sending = Pick<HttpRequest, "onWaited" | "waitMs" | "mayBegin"> & {
  signal: AbortSignal;
  /** Put on the wire at most once. */
  once: boolean;
  priority: NonNullable<SentFor["priority"]>;
};

/** Sends the requests of operations, each to its service; implemented in src/services/sender.ts. */
export interface OperationSender {
  /** A read: within the budget, retried while that can help, cancelled by `signal`. @throws HttpError */
  read(
    service: string,
    request: OperationRequest,
    signal: AbortSignal,
    sentFor?: SentFor,
  ): Promise<OperationAnswer>;
  /**
   * A write: put on the wire at most once. If the error says `maybeSent: false`, nothing was sent.
   * @throws HttpError
   */
  writeOnce(
    service: string,
    request: OperationRequest,
    signal: AbortSignal,
    sentFor?: SentFor,
  ): Promise<OperationAnswer>;
}
