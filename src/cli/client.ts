// The control API as nexusctl calls it: HTTP over a Unix socket on node:http alone, so that a command starts fast.

import { statSync } from "node:fs";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { resolve } from "node:path";
import { parseJson, stringifyJson } from "../core/exact-json.ts";
import { Failed, NoDaemon, type Problem } from "./problem.ts";
import type { Role, SocketChoice } from "./sockets.ts";

export interface Answer {
  status: number;
  /** The body exactly as it came: numbers beyond 2^53 are only exact here. */
  text: string;
  epoch: string | undefined;
  headers: IncomingMessage["headers"];
}

interface CallOptions {
  /** Sent as JSON, bigint as its digits. */
  body?: unknown;
  /** Which socket; default: the agents'. */
  role?: Role;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** How long to wait without a byte; default 15 s. */
  timeoutMs?: number;
}

interface StreamOptions {
  /** Which socket; default: the agents'. */
  role?: Role;
  headers: Record<string, string>;
  signal: AbortSignal;
  /** The stream counts as dead after this long without a byte. */
  silenceMs: number;
}

export interface ControlClient {
  /** @throws Failed for an answer that is not 2xx, or none; NoDaemon when nothing listens. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Resolves at the headers of a 2xx. @throws as `call` */
  stream(path: string, options: StreamOptions): Promise<IncomingMessage>;
}

/** How a body of JSON is read where its large integers do not matter. */
export const parsed = <T>(answer: Answer): T => body(answer, JSON.parse) as T; // the daemon's own contract; it is of the same version or newer

/** A body of JSON with its integers exact: those above 2^53 as bigint. */
export const parsedExactly = <T>(answer: Answer): T => body(answer, parseJson) as T; // as above

function body({ text }: Answer, parse: (text: string) => unknown): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new Failed(
      {
        title: "Not an answer of nexusd",
        detail: "What listens at the socket did not answer with JSON; is it nexusd?",
        code: "bad_answer",
      },
      { cause },
    );
  }
}

export function createClient(sockets: SocketChoice): ControlClient {
  /** The socket of the role; agents' requests go over the operator's when theirs is closed to this user. */
  const overSocket = async (
    role: Role,
    options: RequestOptions,
    send: (path: string) => Promise<IncomingMessage>,
  ): Promise<IncomingMessage> => {
    const path = await sockets.path(role);
    try {
      return await send(path);
    } catch (error) {
      const code = errorCode(error);
      if (code === "EACCES" && role === "agent") {
        const other = await sockets.path("operator");
        if (other !== path) {
          try {
            return await send(other);
          } catch {
            // What the person has to put right is the access to the agents' socket.
          }
        }
      }
      throw await asFailure(error, code, path, options, { sockets, role });
    }
  };

  const open = (
    method: string,
    path: string,
    { body, role = "agent", signal, headers, timeoutMs }: CallOptions,
  ) => {
    const payload = body === undefined ? undefined : stringifyJson(body);
    // The daemon would hang up in the middle of it, often before its refusal can be read.
    if (payload !== undefined && Buffer.byteLength(payload) > LARGEST_BODY) throw new Failed(TOO_LARGE);
    const options: RequestOptions = {
      method,
      path,
      agent: false,
      headers: {
        host: "nexusd",
        accept: "application/json, text/event-stream",
        ...(payload === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
        ...headers,
      },
      ...(signal && { signal }),
    };
    return overSocket(
      role,
      options,
      (socketPath) =>
        new Promise((resolve, reject) => {
          const request = httpRequest({ ...options, socketPath }, resolve);
          request.on("error", reject);
          if (timeoutMs !== undefined)
            request.setTimeout(timeoutMs, () => request.destroy(new SilenceError(timeoutMs)));
          request.end(payload);
        }),
    );
  };

  return {
    async call(method, path, options = {}) {
      const response = await open(method, path, { timeoutMs: 15_000, ...options });
      return await readAnswer(response, method, path);
    },
    async stream(path, { silenceMs, ...options }) {
      const response = await open("GET", path, { ...options, timeoutMs: silenceMs });
      if (response.statusCode !== 200) await readAnswer(response, "GET", path);
      return response;
    },
  };
}

/** As the daemon has it. */
const LARGEST_BODY = 2 ** 20;
const TOO_LARGE: Problem = {
  ...{ title: "The body is too large", status: 413, code: "body_too_large" },
  detail: "A body can have 1 MiB.",
};

class SilenceError extends Error {
  readonly code = "SILENCE";

  constructor(ms: number) {
    super(`no answer for ${ms / 1000} s`);
  }
}

const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** The system says of a file that nobody listens at it, too. */
function isOtherThanSocket(path: string): boolean {
  try {
    return !statSync(path).isSocket();
  } catch {
    return false;
  }
}

async function asFailure(
  error: unknown,
  code: string,
  socket: string,
  { method, path }: RequestOptions,
  { sockets, role }: { sockets: SocketChoice; role: Role },
): Promise<unknown> {
  if (code === "ABORT_ERR") return error;
  if (code === "ECONNREFUSED" && isOtherThanSocket(socket))
    return new Failed(
      { title: "Not a socket", detail: `${socket} is there, but is not a socket.`, code: "not_a_socket" },
      { cause: error },
    );
  if (code === "ENOENT" || code === "ECONNREFUSED")
    return new NoDaemon(
      [resolve(socket), ...(await sockets.otherwise(role))],
      await sockets.startWith(),
      error,
    );
  const problem: Problem =
    code === "EACCES"
      ? {
          title: "Not allowed",
          status: 403,
          detail: `This user may not connect to ${socket}. Run as its owner or join its group (ls -l ${socket}).`,
          code: "socket_forbidden",
        }
      : {
          title: "No answer",
          detail: `${method} ${path} over ${socket} failed: ${error instanceof Error ? error.message : error}. Is the daemon healthy? Its log says more.`,
          code: code === "SILENCE" ? "timeout" : "connection_failed",
        };
  return new Failed(problem, { cause: error });
}

async function readAnswer(response: IncomingMessage, method: string, path: string): Promise<Answer> {
  response.setEncoding("utf8");
  let text = "";
  try {
    for await (const chunk of response) text += chunk;
  } catch (cause) {
    if (errorCode(cause) === "ABORT_ERR") throw cause;
    const detail = `The daemon went away while it answered ${method} ${path}.`;
    throw new Failed({ title: "Connection lost", detail, code: "connection_failed" }, { cause });
  }
  const epoch = response.headers["nexusd-epoch"];
  const answer: Answer = {
    status: response.statusCode ?? 0,
    text,
    epoch: typeof epoch === "string" ? epoch : undefined,
    headers: response.headers,
  };
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw refusal(answer);
}

function refusal({ status, text, epoch }: Answer): Failed {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not nexusd's own answer: described below.
  }
  if (typeof body === "object" && body !== null && "code" in body) {
    const problem: Problem = { title: "Refused", detail: "", status, ...body, code: String(body.code) };
    if (!problem.detail) problem.detail = problem.title;
    return new Failed(problem, { json: text.trim(), epoch });
  }
  const detail = `What listens at the socket answered ${status} without a problem document; is it nexusd?`;
  return new Failed({ title: "Not an answer of nexusd", status, detail, code: "bad_answer" }, { epoch });
}
