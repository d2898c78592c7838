// What the operations may ask of Nex at once: four reads, and ten texts a minute. The stream and its polls are outside.

import type { Clock } from "../../core/clock.ts";
import { createPlaces, type PlaceFor } from "../../core/semaphore.ts";
import type { RequestBudget } from "../../http/budget.ts";
import type { HttpClient, HttpRequest } from "../../http/client.ts";
import { startDeadline } from "../../http/deadline.ts";
import { givenUp } from "../../http/failure.ts";

/** Nex has no limit that is documented, and takes up to a minute: more would only wait there instead of here. */
const READS_AT_ONCE = 4;
/** What the clients of Nex allow themselves for `POST /v1/context/text`; the service documents no number. */
export const TEXTS_PER_MINUTE = 10;

/**
 * The client for operations. A read waits for one of four places, of which agents have three, a text for its turn in
 * `texts`; both no longer than the time-out of a request, as HttpError `timeout` with code `budget_timeout`, and were
 * then not sent. A 429 to a text keeps the others back for as long as its Retry-After says. Writes wait for nothing
 * else.
 */
export function limitForOperations(
  http: HttpClient,
  options: { texts: RequestBudget; textsPath: string; timeoutMs: number; clock: Clock },
): HttpClient {
  const { texts, textsPath, timeoutMs, clock } = options;
  const places = createPlaces(READS_AT_ONCE);

  const takePlace = async (request: HttpRequest) => {
    const where = { service: "nex", label: request.label };
    const waitMs = request.timeoutMs ?? timeoutMs;
    const since = clock.monotonic();
    const deadline = startDeadline({
      clock,
      timeoutMs: waitMs,
      signal: request.signal,
      failure: (kind) => givenUp(kind, where, { phase: "budget", sent: false }, waitMs),
    });
    try {
      return await places.take(placeFor(request), deadline.signal);
    } finally {
      const waitedMs = clock.monotonic() - since;
      if (waitedMs > 0) request.onWaited?.(waitedMs);
      deadline.end();
    }
  };

  return {
    origin: http.origin,
    stream: http.stream,
    async request(request) {
      if (request.method === "POST" && request.path === textsPath)
        return await http.request({ ...request, budget: texts });
      // Only a write is marked as to be sent once.
      if (request.once) return await http.request(request);
      const place = await takePlace(request);
      try {
        return await http.request(request);
      } finally {
        place.leave();
      }
    },
  };
}

const placeFor = ({ priority }: HttpRequest): PlaceFor =>
  priority === "agent_reads" || priority === "agent_writes" ? priority : "people";
