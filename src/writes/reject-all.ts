// Rejects many proposals at once, such as those of a faulty agent.

import type { Store } from "../contract/store.ts";
import { type Rejected, type RejectFilter, type Write, WriteError } from "../contract/writes.ts";

const PAGE = 200;
const TOLD = 100;

/** Each is its own decision, with its event and audit row; one that is decided meanwhile is left alone. */
export async function rejectAll(
  { agent, operation, upTo, dryRun = false }: RejectFilter,
  reject: (id: string) => Promise<Write>,
  store: Pick<Store, "readWriteSummaries">,
): Promise<Rejected> {
  const isMeant = (write: { id: string; agent: string | null; operation: string }) =>
    (upTo === undefined || write.id <= upTo) &&
    (agent === undefined || write.agent === agent) &&
    (operation === undefined || isNamed(write.operation, operation));
  const rejected: Rejected = { count: 0, writes: [] };
  for (let after: string | undefined; ; ) {
    const page = await store.readWriteSummaries({
      ...{ states: ["proposed"], limit: PAGE },
      ...(after !== undefined && { after }),
    });
    const meant = page.filter(isMeant);
    const done = dryRun
      ? meant.map(() => true)
      : await Promise.all(meant.map(({ id }) => isRejected(reject(id))));
    for (const [index, { id, operation, agent, reason, proposedAt }] of meant.entries()) {
      if (!done[index]) continue;
      rejected.count++;
      if (rejected.writes.length < TOLD) rejected.writes.push({ id, operation, agent, reason, proposedAt });
    }
    after = page.at(-1)?.id;
    if (after === undefined) return rejected;
  }
}

const isNamed = (name: string, pattern: string) =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

const isRejected = (decision: Promise<Write>): Promise<boolean> =>
  decision.then(
    () => true,
    (error: unknown) => {
      if (error instanceof WriteError) return false;
      throw error;
    },
  );
