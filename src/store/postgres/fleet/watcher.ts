// Notices at once that the process of another node is gone. Each node watches the next one by name, so that each is
// watched by one; when that is lost, the one behind it.

import type { Clock } from "../../../core/clock.ts";
import { Connection, type ConnectionSettings } from "../connection.ts";
import type { Peer } from "./membership.ts";

const AGAIN_MS = 250;
/** A lock that was free at once says that the node makes a new session, or that something is odd. */
const SOON_MS = 50;
/** While nobody is there to be watched. */
const LOOK_MS = 1000;

export interface Watcher {
  close(): Promise<void>;
}

export function watchNext(options: {
  settings: ConnectionSettings;
  clock: Pick<Clock, "sleep" | "monotonic">;
  /** The other nodes, by name. */
  peers(): readonly Peer[];
  node: string;
  onGone(peer: Peer): Promise<boolean>;
}): Watcher {
  const { settings, clock, peers, node, onGone } = options;
  const closing = new AbortController();
  let connection: Connection | undefined;

  const sleep = (ms: number) => clock.sleep(ms, closing.signal).catch(() => {});

  const look = async (peer: Peer, isSecondFirst: boolean): Promise<boolean> => {
    if (!connection || connection.isLost) connection = await Connection.open(settings);
    const { incarnation } = peer;
    const locks = isSecondFirst ? [incarnation + 1, incarnation] : [incarnation, incarnation + 1];
    // Whether it had its sessions on this server is asked first where it costs nothing, and again under the lock of the
    // head.
    const [row] = await connection.query<{ isGone: boolean }>(
      `SELECT node_gone($1, $2) AND EXISTS (
         SELECT FROM nodes WHERE incarnation = $3 AND server = pg_postmaster_start_time()) AS "isGone"`,
      [...locks, incarnation],
    );
    return row?.isGone === true;
  };

  const run = async () => {
    let isSecondFirst = false;
    while (!closing.signal.aborted) {
      const peer = peers().find(({ name }) => name > node) ?? peers()[0];
      if (!peer) {
        await connection?.end();
        connection = undefined;
        await sleep(LOOK_MS);
        continue;
      }
      try {
        const startedAt = clock.monotonic();
        if (await look(peer, isSecondFirst)) {
          if (!(await onGone(peer))) await sleep(SOON_MS);
        } else if (clock.monotonic() - startedAt < SOON_MS) {
          isSecondFirst = !isSecondFirst;
          await sleep(SOON_MS);
        }
      } catch {
        await sleep(AGAIN_MS);
      }
    }
  };
  const done = run();

  return {
    close: async () => {
      closing.abort();
      connection?.destroy();
      await done;
    },
  };
}
