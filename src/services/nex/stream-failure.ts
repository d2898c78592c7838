// What a failure of the insight stream or of its list means, with the remedy, and how long to wait.

import type { Failure } from "../../contract/new-event.ts";
import type { HttpError } from "../../http/errors.ts";

/** A refused key is tried again slowly: a person may restore its scope. */
const REFUSED_WAIT_MS = 5 * 60_000;
/** A refusal that a later attempt can overcome, unlike the other 4xx statuses. */
const PASSING = new Set([408, 425, 429]);

/** @param error undefined: the server ended the stream normally */
export function describeLoss(error: HttpError | undefined): Failure {
  if (!error) return { code: "stream_ended", message: "Nex ended the insight stream." };
  switch (error.status) {
    case 401:
      return {
        code: "nex_key_refused",
        message: "Nex refused the API key (nex.api_key). Replace it with a valid key and reload.",
      };
    case 403:
      return {
        code: "nex_scope_missing",
        message: "The Nex API key lacks the scope insight.stream. Create a key that has it and reload.",
      };
    case 204:
      return { code: "stream_declined", message: "Nex reports that there is no insight stream (204)." };
    default:
      return { code: error.code, message: error.message };
  }
}

/** The key is the reason: REST would refuse it, too. */
export const isKeyRefused = (error: HttpError | undefined): boolean =>
  error?.status === 401 || error?.status === 403;

/** The least wait before the next attempt, in milliseconds. A 204 asks not to come back; REST is polled meanwhile. */
export const waitAfter = (error: HttpError): number =>
  isKeyRefused(error) || error.status === 204 ? REFUSED_WAIT_MS : 0;

/** A repeated request would be refused again. */
export const isRefusal = ({ status = 0 }: HttpError): boolean =>
  status >= 400 && status < 500 && !PASSING.has(status);
