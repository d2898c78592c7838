// Becoming a node of the fleet: one run of the daemon for each name.

import type { Clock } from "../../../core/clock.ts";
import type { Connection } from "../connection.ts";
import { postgresError } from "../errors.ts";
import { endSessions, SLOTS } from "./slots.ts";
import { LEASE_MS } from "./tenure.ts";

const AGAIN_MS = 50;

export interface Member {
  name: string;
  version: string;
  /** Random, of this run of the daemon. */
  incarnation: number;
  /** The ids of its encryption keys: the first one encrypts. */
  keys: readonly string[];
}

interface Earlier {
  incarnation: number;
  beat: number;
  version: string;
  since: string;
  isOver: boolean;
}

/**
 * Takes the row of the node, from an earlier run that is gone if need be.
 * @param connection of a run that has its session locks already, so that its end is noticed from now on
 * @throws StoreError `locked` while another daemon runs under this name; `unusable` if a node lacks a key
 */
export async function join(
  connection: Connection,
  member: Member,
  place: string,
  clock: Pick<Clock, "monotonic" | "sleep">,
): Promise<void> {
  let first: (Earlier & { at: number }) | undefined;
  for (;;) {
    const sent = clock.monotonic();
    const [earlier] = await connection.query<Earlier>(
      `SELECT incarnation, beat, version, state = 'lost' OR node_ended(incarnation, server) AS "isOver",
         to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
       FROM nodes WHERE name = $1`,
      [member.name],
    );
    // As soon as it renews its leases, it is known to run.
    if (first && earlier && earlier.incarnation === first.incarnation && earlier.beat !== first.beat)
      throw postgresError(
        "locked",
        place,
        `another daemon runs as node ${member.name} (nexusd ${earlier.version}, since ${earlier.since})`,
        { remedy: "stop that one, or give this one another name in [daemon] node" },
      );
    if (earlier && earlier.incarnation !== first?.incarnation) first = { ...earlier, at: clock.monotonic() };
    const isSilent = first !== undefined && sent - first.at >= LEASE_MS;
    // It is stopped or cut off. Its sessions could still hold the head.
    if (earlier && isSilent)
      await endSessions(connection, earlier.incarnation, earlier.incarnation + SLOTS.writer);
    if ((!earlier || earlier.isOver || isSilent) && (await enter(connection, member, earlier, place))) return;
    await clock.sleep(AGAIN_MS);
  }
}

/** @returns false: something else changed the row meanwhile */
async function enter(
  connection: Connection,
  { name, version, incarnation, keys }: Member,
  earlier: Earlier | undefined,
  place: string,
): Promise<boolean> {
  await connection.script("BEGIN; SELECT FROM head FOR UPDATE");
  let isIn = false;
  try {
    await assertSharedKeys(connection, name, keys, place);
    if (earlier) {
      const { incarnation: before, beat } = earlier;
      await connection.run("DELETE FROM nodes WHERE incarnation = $1 AND beat = $2", [before, beat]);
      await connection.run(
        "DELETE FROM leases WHERE holder = $1 AND NOT EXISTS (SELECT FROM nodes WHERE incarnation = $1)",
        [before],
      );
    }
    const entered = await connection.query(
      `INSERT INTO nodes (name, incarnation, version, keys, server)
       VALUES ($1, $2, $3, $4::text[], pg_postmaster_start_time()) ON CONFLICT DO NOTHING RETURNING 1`,
      [name, incarnation, version, keys],
    );
    isIn = entered.length > 0;
    if (isIn) await connection.run("INSERT INTO commits (incarnation, token) VALUES ($1, '')", [incarnation]);
    // A run whose commit is in doubt finds its row for a day after another one took its place.
    await connection.run(
      `DELETE FROM commits WHERE since < clock_timestamp() - interval '1 day'
         AND incarnation NOT IN (SELECT incarnation FROM nodes)`,
    );
    await connection.run(
      "DELETE FROM nodes WHERE state = 'lost' AND seen_at < clock_timestamp() - interval '7 days'",
    );
  } finally {
    if (!connection.isLost) await connection.script(isIn ? "COMMIT" : "ROLLBACK");
  }
  return isIn;
}

/** What one node encrypts, every other one has to decrypt. The head is locked. @throws StoreError `unusable` */
export async function assertSharedKeys(
  on: Pick<Connection, "query">,
  node: string,
  keys: readonly string[],
  place: string,
): Promise<void> {
  const [other] = await on.query<{ name: string; theirs: boolean }>(
    `SELECT name, NOT keys[1] = ANY($2::text[]) AS theirs FROM nodes
     WHERE name <> $1 AND state <> 'lost' AND NOT (keys[1] = ANY($2::text[]) AND $3 = ANY(keys)) ORDER BY 1 LIMIT 1`,
    [node, keys, keys[0] ?? ""],
  );
  if (!other) return;
  throw postgresError(
    "unusable",
    place,
    other.theirs
      ? `node ${other.name} encrypts with a key that this node does not have`
      : `this node's first key is not known to node ${other.name}`,
    {
      remedy:
        "in [store] encryption_key, add a new key behind the present one on every node first, and then put it first",
    },
  );
}
