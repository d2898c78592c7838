// Sends the requests of operations, each through its service; reads are retried if that can help.

import type { Clock } from "../core/clock.ts";
import type { Retry } from "../http/client.ts";
import type { RunningService } from "./module.ts";
import type { OperationAnswer, OperationSender } from "./operation.ts";

export interface SenderOptions {
  services: (name: string) => Pick<RunningService, "send">;
  retry: Retry;
  clock: Pick<Clock, "monotonic">;
}

/** An OperationError of its functions means that nothing was sent. */
export function createSender({ services, retry, clock }: SenderOptions): OperationSender {
  const recent = new Map<string, { at: number; answer: OperationAnswer }>();
  return {
    async read(service, request, signal, { priority = "agent_reads", onWaited } = {}) {
      const key = request.origin + request.path;
      const known = request.maxAgeMs === undefined ? undefined : recent.get(key);
      if (known && clock.monotonic() - known.at < (request.maxAgeMs ?? 0)) return known.answer;
      const sending = { signal, once: false, priority, ...(onWaited && { onWaited }) };
      const answer = await retry(() => services(service).send(request, sending), { signal });
      if (request.maxAgeMs !== undefined) recent.set(key, { at: clock.monotonic(), answer });
      return answer;
    },
    writeOnce: (service, request, signal, { priority = "agent_writes", mayBegin } = {}) =>
      services(service).send(request, {
        ...{ signal, once: true, priority, ...patience(priority) },
        ...(mayBegin && { mayBegin }),
      }),
  };
}

/** How long agents' writes wait for their turn, which can take a window and more. */
const AGENTS_WAIT_MS = 100_000;
const patience = (priority: string) => (priority === "agent_writes" ? { waitMs: AGENTS_WAIT_MS } : {});
