// One nexusd per schema: a session-level lock of the committing session, which PostgreSQL releases when that ends.
// A pooler in transaction or statement mode breaks this guarantee.

import { Connection, type ConnectionSettings } from "./connection.ts";
import { postgresError } from "./errors.ts";

/** How long to wait for the end of an earlier session: the server notices it, or terminates it if it was ours. */
const TAKE_WITHIN_MS = 3000;
const AGAIN_MS = 50;

const KEYS = "hashtext('nexusd'), hashtext($1)";

interface Holder {
  pid: number;
  name: string | null;
  since: string | null;
}

/**
 * @param earlier the process id of the connection that this one replaces: terminated if it still holds the lock
 * @throws StoreError `locked`
 */
export async function takeLock(
  connection: Connection,
  settings: Pick<ConnectionSettings, "schema" | "place">,
  earlier: number | undefined,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  for (let waited = 0; ; waited += AGAIN_MS) {
    const [taken] = await connection.query<{ ok: boolean }>(`SELECT pg_try_advisory_lock(${KEYS}) AS ok`, [
      settings.schema,
    ]);
    if (taken?.ok) return;
    const [holder] = await connection.query<Holder>(
      `SELECT l.pid, a.application_name AS name, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
       FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
       WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND l.classid = (hashtext('nexusd')::bigint & 4294967295)::oid
         AND l.objid = (hashtext($1)::bigint & 4294967295)::oid`,
      [settings.schema],
    );
    // If it was cut off without a Terminate message, the server would keep the session for minutes.
    if (holder && holder.pid === earlier)
      await connection.query("SELECT pg_terminate_backend($1)", [earlier]);
    else if (holder && waited >= TAKE_WITHIN_MS)
      throw postgresError(
        "locked",
        settings.place,
        `in use by ${holder.name ?? "another nexusd"}, since ${holder.since}`,
      );
    await sleep(AGAIN_MS);
  }
}

/**
 * Checks that the server session belongs to the connection for its whole life.
 * @throws StoreError `unusable` behind a pooler in transaction or statement mode
 */
export async function refusePooler(connection: Connection, settings: ConnectionSettings): Promise<void> {
  // A pooler announces its own process id, or none; in session mode it is as good as no pooler.
  if (connection.announcedPid === connection.pid) return;
  const other = await Connection.open(settings);
  const refused = (cause?: unknown) =>
    postgresError(
      "unusable",
      settings.place,
      "between it and nexusd is a pooler that lends sessions out for a transaction: neither LISTEN nor a lock of the session holds there",
      { remedy: "name PostgreSQL itself in [store] url, or a pooler in session mode", cause },
    );
  try {
    // While the other connection is in a transaction, it occupies the session that this one used before.
    await other.script("BEGIN");
    const pidOf = async (on: Connection) =>
      (await on.query<{ pid: number }>("SELECT pg_backend_pid() AS pid"))[0]?.pid;
    const [theirs, ours] = [await pidOf(other), await pidOf(connection)];
    if (ours !== connection.pid || theirs === connection.pid) throw refused();
  } finally {
    await other.end();
  }
}
