// The fleet on PostgreSQL: the sessions of this node, what it hears of the others, and its leases.

import type { Fleet, FleetNode, HeldLease } from "../../../contract/fleet.ts";
import type { StoreError } from "../../../contract/store.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Connection, ConnectionSettings } from "../connection.ts";
import { postgresError } from "../errors.ts";
import type { ReadUnit, WriteUnit } from "../units.ts";
import { Leases } from "./leases.ts";
import { listen, type Message } from "./listener.ts";
import { type Look, Membership, type Peer } from "./membership.ts";
import type { Sessions } from "./slots.ts";
import { createTeller, type Teller } from "./teller.ts";
import { Tenure } from "./tenure.ts";
import { watchNext } from "./watcher.ts";

export interface FleetOptions {
  settings: ConnectionSettings;
  clock: Clock;
  node: string;
  incarnation: number;
  sessions: Sessions;
  read: ReadUnit;
  write: WriteUnit;
  /** Refuses a database that is not the same any more. @throws StoreError */
  verify(connection: Connection): Promise<void>;
  /** Told with each renewal, and by messages of other nodes. */
  onLook(look: Look): void;
  onMessage(heard: Message): void;
  /** Messages may have been missed. */
  onListening(): void;
  /** No connection that was open before is of use. */
  onCut(): void;
  /** This run cannot go on. */
  onFatal(error: StoreError): void;
}

export interface PostgresFleet extends Fleet {
  readonly teller: Teller;
  /** Its leases were renewed and it listens for the first time, or could not. */
  started(): Promise<void>;
  /** Leaves the fleet: gives everything back. Does not wait for an unavailable database. */
  leave(): Promise<void>;
  /** Closes its sessions. */
  close(): Promise<void>;
}

/** RFC 3339 of a column, as isoTime writes it. */
const timeOf = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export function joinFleet(options: FleetOptions): PostgresFleet {
  const { settings, clock, node, incarnation, read, write, verify } = options;
  const { place } = settings;
  let isDraining = false;
  let isClosed = false;

  const tenure = new Tenure(clock, (why) => leases.loseAll(why));

  /** Takes the leases of a node away. @param silentAt the beat that it did not get beyond; null: its process is gone */
  const giveUp = async ({ incarnation: gone }: Peer, silentAt: number | null): Promise<boolean> => {
    if (isClosed) return false;
    const isLost = await write(async (transaction) => {
      const lost = await transaction.query(
        `UPDATE nodes SET state = 'lost', given = given + 1 WHERE incarnation = $1 AND state <> 'lost'
           AND CASE WHEN $2::bigint IS NULL THEN node_ended(incarnation, server) ELSE beat = $2 END RETURNING 1`,
        [gone, silentAt],
      );
      if (lost.length === 0) return false;
      await transaction.run("DELETE FROM leases WHERE holder = $1", [gone]);
      return true;
    });
    if (isLost) {
      teller.tell({ fleet: true });
      membership.hurry();
      leases.tryTake();
    }
    return isLost;
  };

  const membership = new Membership({
    ...{ settings, clock, incarnation, tenure, verify, first: options.sessions.fleet },
    isAnchored: () => listener.isListening(),
    onLook: (look) => {
      options.onLook(look);
      leases.settle().catch(() => {});
    },
    onChange: () => leases.tryTake(),
    onGivenUp: async () => {
      const back = await write((transaction) =>
        transaction.query("UPDATE nodes SET state = $2, beat = beat + 1 WHERE incarnation = $1 RETURNING 1", [
          incarnation,
          isDraining ? "draining" : "up",
        ]),
      );
      if (back.length > 0) {
        teller.tell({ fleet: true });
        return true;
      }
      if (!isClosed)
        options.onFatal(
          postgresError("unusable", place, `another daemon runs as node ${node} now`, {
            remedy: "stop that one, or give this one another name in [daemon] node",
          }),
        );
      return false;
    },
    onSilent: async (peer) => void (await giveUp(peer, peer.beat)),
    onLost: () => doubt(),
    onCut: () => {
      listener.drop();
      options.onCut();
    },
  });

  const doubt = () => {
    // With one of the two sessions, the server does not take this process for gone.
    if (!membership.session() && !listener.isListening()) tenure.doubt();
  };

  const teller = createTeller({
    ...{ clock, incarnation, schema: settings.schema },
    session: () => membership.session(),
  });

  const leases = new Leases({
    ...{ place, incarnation, tenure, write },
    findFree: async (resources) => {
      const session = membership.session();
      if (!session) throw postgresError("io", place, "the session of this node is lost");
      const free = await session.query<{ resource: string }>(
        `SELECT w AS resource FROM unnest($1::text[]) w
         WHERE NOT EXISTS (SELECT FROM leases l WHERE l.resource = w)`,
        [resources],
      );
      return free.map(({ resource }) => resource);
    },
    onGiven: () => teller.tell({ fleet: true }),
  });

  const listener = listen({
    ...{ settings, clock, incarnation, verify, first: options.sessions.listener },
    onMessage: (heard) => {
      if (heard.fleet || heard.epoch) membership.hurry();
      if (heard.fleet) leases.tryTake();
      options.onMessage(heard);
    },
    onListening: () => {
      membership.hurry();
      options.onListening();
    },
    onLost: () => doubt(),
  });

  const watcher = watchNext({
    ...{ settings, clock, node },
    peers: () => membership.peers(),
    onGone: (peer) => giveUp(peer, null),
  });

  return {
    node,
    teller,
    started: async () => {
      await Promise.all([membership.started(), listener.started()]);
      teller.tell({ fleet: true });
    },
    hold: leases.hold,
    tryHold: leases.tryHold,
    nodes: () =>
      read((on) =>
        on.query<FleetNode>(
          `SELECT name, version, state, ${timeOf("started_at")} AS "startedAt", ${timeOf("seen_at")} AS "seenAt"
           FROM nodes ORDER BY name`,
        ),
      ),
    leases: () =>
      read((on) =>
        on.query<HeldLease>(
          `SELECT l.resource, n.name AS node, l.token, ${timeOf("l.since")} AS since
           FROM leases l JOIN nodes n ON n.incarnation = l.holder ORDER BY l.resource`,
        ),
      ),
    drain: async (next) => {
      isDraining = next;
      leases.drain(next);
      await write((transaction) =>
        transaction.run("UPDATE nodes SET state = $2 WHERE incarnation = $1 AND state <> 'lost'", [
          incarnation,
          next ? "draining" : "up",
        ]),
      );
      // Only now may it take some.
      if (!next) leases.tryTake();
      teller.tell({ fleet: true });
    },
    leave: async () => {
      isClosed = true;
      leases.close();
      await write(async (transaction) => {
        await transaction.run("DELETE FROM leases WHERE holder = $1", [incarnation]);
        await transaction.run("DELETE FROM nodes WHERE incarnation = $1", [incarnation]);
      });
      teller.tell({ fleet: true });
    },
    close: async () => {
      isClosed = true;
      leases.close();
      teller.close();
      await watcher.close();
      await listener.close();
      await membership.close();
    },
  };
}
