// What operations may ask of Nex at once: four reads, and ten texts a minute. The stream and its polls are separate.

import type { Clock } from "../../core/clock.ts";
import { createPlaces, type PlaceFor } from "../../core/semaphore.ts";
import type { RequestBudget } from "../../http/budget.ts";
import type { HttpClient, HttpRequest } from "../../http/client.ts";
import { startDeadline } from "../../http/deadline.ts";
import { givenUp } from "../../http/failure.ts";

/** Nex documents no limit, and takes up to a minute: further requests would only wait there instead of here. */
const READS_AT_ONCE = 4;
/** The limit that Nex's own clients use for `POST /v1/context/text`; the service documents no number. */
export const TEXTS_PER_MINUTE = 10;

/**
 * The client for operations. A read waits for one of four slots, of which agents may use three; a text waits for its
 * turn in `texts`. Both wait at most as long as the time-out of a request; then the HttpError is `timeout` with code
 * `budget_timeout`, and nothing was sent. A 429 to a text holds the others back for its Retry-After. Other writes do
 * not wait.
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
      // Only a write is marked to be sent once.
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
