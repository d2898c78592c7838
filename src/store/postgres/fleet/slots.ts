// The session locks of a node: each of its lasting connections holds one, so that the server itself tells whether the
// process is there, and which sessions are its own.

import { Connection, type ConnectionSettings } from "../connection.ts";
import { ConnectionLost } from "../errors.ts";

/** Added to the incarnation, which leaves room for them. The first two tell that the process is there. */
export const SLOTS = { fleet: 0, listener: 1, writer: 2 } as const;

const AGAIN_MS = 20;
const CLAIM_WITHIN_MS = 5000;

/** A random incarnation: exact as a number, its last two bits free for the slots. */
export const newIncarnation = (random: () => number): number => 4 * (1 + Math.floor(random() * 2 ** 48));

/** SQL: the keys of one bigint, as pg_locks shows them. */
const HOLDERS = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND mode = 'ExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) BETWEEN $1 AND $2 AND pid <> pg_backend_pid()`;

/** Ends sessions of a node. Its own are left by a connection that it lost; those of another one block the head. */
export const endSessions = (connection: Connection, from: number, to: number): Promise<unknown> =>
  connection.query(`SELECT pg_terminate_backend(pid) FROM (${HOLDERS}) s`, [from, to]);

/**
 * Takes the lock of a slot for this connection, from an earlier one of the same node if need be.
 * @throws ConnectionLost if that one does not end
 */
export async function claimSlot(
  connection: Connection,
  key: number,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  for (let waited = 0; waited < CLAIM_WITHIN_MS; waited += AGAIN_MS) {
    const [taken] = await connection.query<{ ok: boolean }>("SELECT pg_try_advisory_lock($1) AS ok", [key]);
    if (taken?.ok) return;
    // It was cut off without a Terminate message, and the server would keep its session for minutes.
    await endSessions(connection, key, key);
    await sleep(AGAIN_MS);
  }
  throw new ConnectionLost("an earlier session of this node does not end");
}

/** The lasting sessions of a node, each with its lock. */
export interface Sessions {
  fleet: Connection;
  listener: Connection;
}

/** @throws StoreError */
export async function openSessions(
  settings: ConnectionSettings,
  incarnation: number,
  sleep: (ms: number) => Promise<void>,
): Promise<Sessions> {
  const open = async (slot: keyof Sessions) => {
    const connection = await Connection.open(settings);
    await claimSlot(connection, incarnation + SLOTS[slot], sleep);
    return connection;
  };
  const [fleet, listener] = await Promise.allSettled([open("fleet"), open("listener")]);
  if (fleet.status === "fulfilled" && listener.status === "fulfilled")
    return { fleet: fleet.value, listener: listener.value };
  for (const opened of [fleet, listener]) if (opened.status === "fulfilled") opened.value.destroy();
  throw fleet.status === "rejected" ? fleet.reason : (listener as PromiseRejectedResult).reason;
}
