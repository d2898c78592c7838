// What a receiver's status means, in words that end with what to do.

import { refused, type StatusWords } from "../refusal.ts";

/** @param first the sequence of the first event that it was sent, and of the last one; none: it was a test */
export const wordsFor =
  (first?: number, last = first): StatusWords =>
  ({ status, retryAfterMs }) => {
    const what =
      first === undefined ? "the test" : first === last ? `event ${first}` : `events ${first} to ${last}`;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    switch (status) {
      case 401:
      case 403:
        return refused(
          `http_${status}`,
          `the receiver refuses ${what} with ${status}: check that it has the same secret, and the right time`,
          wait,
        );
      case 404:
      case 405:
        return refused(`http_${status}`, `the receiver takes nothing there (${status}): check url`, wait);
      case 410:
        return refused(
          "gone",
          "the receiver is gone (410): remove the sink, or resume it once the receiver is back",
          { isFinal: true },
        );
      case 413:
        return refused(
          "too_large",
          `${what} is more than the receiver takes (413): lower batch_events, or raise the limit of the receiver`,
          wait,
        );
      case 429:
        return refused(
          "rate_limited",
          "the receiver asks for fewer requests (429): there is nothing to do",
          wait,
        );
      default:
        return refused(
          `http_${status}`,
          `the receiver refuses ${what} with ${status}: its log says why, and nothing passes until it takes it`,
          wait,
        );
    }
  };
