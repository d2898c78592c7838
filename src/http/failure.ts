// What went wrong below HTTP: maps the errors of undici and Node.js to the one error model.

import { LONGEST_ANSWER_HEAD } from "./dispatcher.ts";
import { HttpError, type HttpErrorKind } from "./errors.ts";
import { TooLate } from "./late.ts";

/** What an error says instead of a path. */
export interface Where {
  service: string;
  label: string;
}

/** How far a request has come. */
export interface Progress {
  phase: "credential" | "budget" | "server" | "room";
  /** It has begun to be written to a connection. */
  sent: boolean;
}

interface Reading {
  kind: HttpErrorKind;
  code: string;
  what: string;
  retryable: boolean;
}

const CERTIFICATE_CODE = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

/**
 * The HttpError of a failed request or body; an HttpError stays unchanged.
 * @param maybeSent whether the request had begun to be written to a connection
 */
export function exchangeFailure(error: unknown, where: Where, maybeSent: boolean): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof TooLate)
    return new HttpError({
      ...{ ...where, kind: "aborted", code: "too_late", retryable: true, maybeSent: false },
      message: `${where.service}: ${where.label} was not sent: ${error.message} before its first byte`,
    });
  const { what, ...reading } = isHttp2Only(error) ? HTTP2_ONLY : read(errorCode(error), maybeSent);
  return new HttpError({
    ...where,
    ...reading,
    message: `${where.service}: ${where.label} ${what}`,
    // Such a server does not recognise an HTTP/1.1 request.
    maybeSent: maybeSent && reading.code !== HTTP2_ONLY.code,
    cause: withoutContents(error),
  });
}

const HTTP2_ONLY: Reading = {
  kind: "network",
  code: "http2_only",
  what:
    "was not accepted: the server speaks only HTTP/2, and nexusd HTTP/1.1. " +
    "Let the server, or the proxy in front of it, offer HTTP/1.1 too",
  retryable: false,
};

/** Whether TLS found no common protocol, or the answer begins with the SETTINGS frame of HTTP/2 (RFC 9113, 3.4). */
function isHttp2Only(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (errorCode(error) === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL") return true;
  if (!("data" in error && typeof error.data === "string") || error.data.length < 9) return false;
  // Of a frame: its length in three bytes, its type, its flags, its stream.
  const [high, , , type, , ...stream] = Buffer.from(error.data.slice(0, 9), "latin1");
  return high === 0 && type === 4 && stream.every((byte) => byte === 0);
}

/** The error of a request that was cancelled, by its deadline or its caller. */
export function givenUp(
  kind: "timeout" | "aborted",
  where: Where,
  progress: Progress,
  timeoutMs: number,
): HttpError {
  const isTimeout = kind === "timeout";
  const what = isTimeout ? `${OVERDUE[progress.phase]} within ${timeoutMs} ms` : "was aborted by its caller";
  return new HttpError({
    ...where,
    kind,
    code: isTimeout ? TIMEOUT_CODES[progress.phase] : kind,
    message: `${where.service}: ${where.label} ${what}`,
    retryable: isTimeout,
    maybeSent: progress.sent,
  });
}

const TIMEOUT_CODES: Record<Progress["phase"], string> = {
  credential: "timeout",
  budget: "budget_timeout",
  server: "timeout",
  room: "room_timeout",
};

const OVERDUE: Record<Progress["phase"], string> = {
  credential: "was not sent: its credential did not arrive in time",
  budget: "was not sent: the request budget was used up",
  server: "was not answered completely",
  room: "was not read completely: other answers fill limits.service_answers_bytes",
};

/** The same error for a request that depended on the one that failed, and was therefore not sent. */
export const notSent = (error: HttpError): HttpError =>
  new HttpError({
    kind: error.kind,
    service: error.service,
    label: error.label,
    message: error.message,
    ...(error.status === undefined ? {} : { status: error.status }),
    code: error.code,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    maybeSent: false,
    headers: error.headers,
    body: error.body,
    cause: error,
  });

function read(code: string, maybeSent: boolean): Reading {
  const network = (name: string, what: string): Reading => ({
    kind: "network",
    code: name,
    what,
    retryable: true,
  });
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
      return network("dns_failed", "was not sent: the name of the server could not be resolved");
    case "ECONNREFUSED":
      return network("connection_refused", "was not sent: the server refused the connection");
    case "UND_ERR_HEADERS_OVERFLOW":
      return {
        kind: "too_large",
        code: "headers_too_large",
        what: `answered more than ${LONGEST_ANSWER_HEAD} bytes of headers`,
        retryable: false,
      };
    case "UND_ERR_INVALID_ARG":
    case "ERR_INVALID_ARG_TYPE":
      return {
        kind: "invalid_request",
        code: "invalid_request",
        what: "was not sent: HTTP cannot carry its path or one of its headers",
        retryable: false,
      };
    case "UND_ERR_CLOSED":
    case "UND_ERR_DESTROYED":
      return {
        kind: "aborted",
        code: "client_closed",
        what: "was aborted: nexusd is stopping",
        retryable: false,
      };
  }
  if (CERTIFICATE_CODE.test(code)) {
    return {
      kind: "network",
      code: "tls_failed",
      what: "was not sent: no trusted TLS connection to the server",
      retryable: false,
    };
  }
  if (code === "HTTPParserError")
    return network("invalid_http", "was answered by something that is not HTTP");
  if (maybeSent) return network("connection_lost", "lost its connection before the answer was complete");
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") {
    return network("connect_timeout", "was not sent: the server did not accept the connection in time");
  }
  return network("connection_failed", "was not sent: no connection to the server");
}

/** The code of an error of undici or Node.js; for errors of the HTTP parser, which often have none, their name. */
function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if (error.name === "HTTPParserError") return error.name;
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

/** undici attaches the bytes that its parser did not understand to the error: a logger would print them. */
function withoutContents(error: unknown): unknown {
  return error instanceof Error && "data" in error ? new Error(`${error.name}: ${error.message}`) : error;
}
