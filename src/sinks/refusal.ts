// What is reported about a target that was not reached, or did not answer in valid HTTP: the same for all kinds.

import { HttpError } from "../http/errors.ts";
import type { Refusal } from "./kind.ts";

/** @param message ends with what to do */
export const refused = (
  code: string,
  message: string,
  more: Partial<Pick<Refusal, "retryAfterMs" | "isFinal">> = {},
): Refusal => ({ kind: "refused", code, message, ...more });

/** Words for a status, which end with what to do; undefined: what is said of any other. */
export type StatusWords = (error: HttpError & { status: number }) => Refusal | undefined;

/**
 * The refusal for an error of the HTTP client, in nexusd's own words.
 * @param target how the other side is called, such as "the gateway"
 * @throws errors other than HttpError
 */
export function refusalOf(error: unknown, target: string, words: StatusWords): Refusal {
  if (!(error instanceof HttpError)) throw error;
  const { kind, code, status, retryAfterMs } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  switch (kind) {
    case "network":
      return refused(code, `${WHY[code] ?? WHY_NOT_REACHED}: ${REMEDY[code] ?? REMEDY_OTHERWISE}`, wait);
    case "timeout":
      return refused("timeout", `${target} did not answer in time: look whether it hangs`, wait);
    case "aborted":
      return refused(
        "aborted",
        "abandoned, because the sink stops or its settings change: there is nothing to do",
      );
    case "redirect_refused":
      return refused(
        "redirect",
        `${target} answered ${status}, which leads elsewhere and is not followed: set url to the address that answers`,
      );
    case "too_large":
      return refused("answer_too_large", `${target} answered too much: check that url is right`);
    case "status":
      return (status !== undefined && words(withStatus(error, status))) || otherStatus(status, target, wait);
    case "invalid_body":
    case "invalid_request":
      return refused(
        code,
        `${target} cannot be sent this, or answered something else: check that url is right`,
      );
  }
}

const withStatus = (error: HttpError, status: number) => Object.assign(error, { status });

const otherStatus = (status: number | undefined, target: string, wait: { retryAfterMs?: number }): Refusal =>
  refused(`http_${status}`, `${target} answered ${status}: its log says why`, wait);

const WHY_NOT_REACHED = "no connection";
const WHY: Readonly<Record<string, string>> = {
  dns_failed: "the name of the host could not be resolved",
  connection_refused: "the connection was refused",
  connect_timeout: "the connection was not taken in time",
  connection_lost: "the connection was lost before the answer was complete",
  tls_failed: "no TLS connection that can be trusted",
  invalid_http: "what answered is not HTTP",
};
const REMEDY_OTHERWISE = "check that the other side runs, and that url is right";
const REMEDY: Readonly<Record<string, string>> = {
  dns_failed: "check the host in url, and the network",
  tls_failed: "check its certificate, and the host in url",
  connection_lost: "if this goes on, look at the log of the other side",
};
