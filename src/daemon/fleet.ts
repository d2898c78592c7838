// The view of the fleet that every part of the daemon shares: who lives, who holds what. In a fleet it looks once a
// second, and reports nodes that join and are lost; alone it does nothing.

import type { Logger } from "pino";
import type { NodesView } from "../contract/api/nodes.ts";
import type { FleetNode, HeldLease } from "../contract/fleet.ts";
import type { NewEvent } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import type { FleetView } from "../control/context.ts";
import { type Clock, isoTime } from "../core/clock.ts";

const LOOK_EVERY_MS = 1000;
const SOURCE = "/daemon";
const SCOPE = "node";

export interface FleetWatch extends FleetView {
  /** The node that holds a lease, as of the last look. */
  holderOf(resource: string): string | undefined;
  /** Looks until the signal aborts; does nothing without a fleet. */
  run(signal: AbortSignal): Promise<void>;
  /** Reports that this node leaves, before the store is closed. */
  leave(reason: string): Promise<void>;
}

export function createFleetWatch(options: {
  store: Pick<Store, "fleet" | "shared" | "commitObservation" | "probe">;
  version: string;
  startedAt: string;
  clock: Clock;
  log: Logger;
}): FleetWatch {
  const { store, version, startedAt, clock, log } = options;
  const { fleet } = store;
  const isShared = store.shared !== undefined;
  const own = { name: fleet.node, version, state: "up" as const, startedAt };
  let seen = {
    at: clock.now(),
    nodes: [{ ...own, seenAt: startedAt }] as FleetNode[],
    leases: [] as HeldLease[],
  };
  let holders = new Map<string, string>();
  const news = createNews(fleet.node);
  let isBlind = false;

  const look = async () => {
    const [nodes, leases] = await Promise.all([fleet.nodes(), fleet.leases()]);
    seen = { at: clock.now(), nodes, leases };
    holders = new Map(leases.map(({ resource, node }) => [resource, node]));
    if (isBlind) log.info("the other nodes are visible again");
    isBlind = false;
    for (const event of news.of(nodes)) {
      await store.commitObservation({ source: "nodes", events: [event] });
      news.told(event);
    }
  };

  return {
    isShared,
    holderOf: (resource) => holders.get(resource),
    view(): NodesView {
      const asOf = isoTime(isShared ? seen.at : clock.now());
      const nodes = isShared ? seen.nodes : [{ ...own, seenAt: asOf }];
      return {
        asOf,
        node: fleet.node,
        nodes: nodes.map((node) => ({ ...node, leases: leasesOf(node, seen) })),
      };
    },
    async drain(isDraining) {
      await fleet.drain(isDraining);
      log.info(isDraining ? "draining: this node gives away what it does" : "this node takes on work again");
      await look();
    },
    async run(signal) {
      if (!isShared) return;
      while (!signal.aborted) {
        try {
          await look();
        } catch (error) {
          if (signal.aborted) return;
          if (!isBlind) log.debug({ err: error }, "the other nodes cannot be seen");
          isBlind = true;
          // If it is the database, this makes it known, in one line of the log.
          await store.probe().catch(() => {});
        }
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
      }
    },
    async leave(reason) {
      if (!isShared) return;
      const event: NewEvent = {
        ...{ type: "node.left", source: SOURCE, subject: fleet.node },
        data: { node: fleet.node, reason },
      };
      await store.commitObservation({ source: "nodes", events: [event] }).catch(() => {});
    },
  };
}

const leasesOf = ({ name }: FleetNode, { leases }: { leases: HeldLease[] }) =>
  leases.filter(({ node }) => node === name).map(({ resource, since }) => ({ resource, since }));

/** What changed since the last look. Every node notices it, and the log takes it once, by its key. */
function createNews(own: string) {
  const told = new Set<string>();
  /** When those that are lost were last seen. */
  const lostAt = new Map<string, Pick<FleetNode, "startedAt" | "seenAt">>();
  const keyOf = (event: NewEvent) => event.dedupe?.record[0] ?? "";

  const joined = ({ name, version, startedAt }: FleetNode, key: string): NewEvent => ({
    ...{ type: "node.joined", source: SOURCE, subject: name },
    data: { node: name, version, startedAt },
    dedupe: { scope: SCOPE, match: [key], record: [key] },
  });
  const lost = ({ name, version, seenAt }: FleetNode, key: string): NewEvent => ({
    ...{ type: "node.lost", source: SOURCE, subject: name },
    data: { node: name, version, seenAt },
    dedupe: { scope: SCOPE, match: [key], record: [key] },
  });

  return {
    of(nodes: readonly FleetNode[]): NewEvent[] {
      const events = nodes.flatMap((node) => {
        const { name, startedAt, seenAt } = node;
        if (node.state === "lost") {
          lostAt.set(name, { startedAt, seenAt });
          return [lost(node, `lost ${name} ${seenAt}`)];
        }
        const before = lostAt.get(name);
        // One that was started again says so itself.
        if (before?.startedAt === startedAt) return [joined(node, `back ${name} ${before.seenAt}`)];
        return name === own ? [joined(node, `joined ${name} ${startedAt}`)] : [];
      });
      return events.filter((event) => !told.has(keyOf(event)));
    },
    told(event: NewEvent): void {
      if (event.type === "node.joined" && event.subject !== undefined) lostAt.delete(event.subject);
      told.add(keyOf(event));
    },
  };
}
