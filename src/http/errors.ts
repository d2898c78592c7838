// The one error model of HTTP: what failed, whether a retry can help, and whether the server may have acted.

export type HttpErrorKind =
  | "network" // no connection, or it was cut
  | "timeout"
  | "aborted" // by our own signal
  | "status" // a complete answer that is not 2xx
  | "invalid_body" // not the JSON or the shape that was promised
  | "too_large"
  | "redirect_refused"
  | "invalid_request"; // refused here and never sent: HTTP cannot carry its path or a header

export interface HttpErrorDetails {
  kind: HttpErrorKind;
  service: string;
  label: string;
  message: string;
  status?: number;
  /** The service's own error code ("session_not_found", "PGRST301", …), else one of nexusd's. */
  code: string;
  retryable: boolean;
  retryAfterMs?: number;
  /** Whether the request may have reached the server: false only when it certainly did not. */
  maybeSent: boolean;
  headers?: Record<string, string>;
  /** The parsed body of an error answer, for the service's own code to read; never logged. */
  body?: unknown;
  cause?: unknown;
}

/** Its message names service, label and status, never a path, a header or a body. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly kind: HttpErrorKind;
  readonly service: string;
  readonly label: string;
  readonly status: number | undefined;
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly maybeSent: boolean;
  readonly headers: Record<string, string>;
  readonly body: unknown;

  constructor(details: HttpErrorDetails) {
    super(details.message, { cause: details.cause });
    this.kind = details.kind;
    this.service = details.service;
    this.label = details.label;
    this.status = details.status;
    this.code = details.code;
    this.retryable = details.retryable;
    this.retryAfterMs = details.retryAfterMs;
    this.maybeSent = details.maybeSent;
    this.headers = details.headers ?? {};
    // Not enumerable: a logger that walks the error must not print a service's answer.
    Object.defineProperty(this, "body", { value: details.body, enumerable: false });
    Object.defineProperty(this, "headers", { value: details.headers ?? {}, enumerable: false });
  }
}
