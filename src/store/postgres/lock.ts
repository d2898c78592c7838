// One nexusd on a schema: a lock of the session that commits, which PostgreSQL drops with the session however it ends.
// Poolers lend sessions out for a transaction or a statement: behind one of those nothing of it holds.

import { Connection, type ConnectionSettings } from "./connection.ts";
import { postgresError } from "./errors.ts";

/** How long a session that ended is waited for: the server notices it, or ends it where it was ours. */
const TAKE_WITHIN_MS = 3000;
const AGAIN_MS = 50;

const KEYS = "hashtext('nexusd'), hashtext($1)";

interface Holder {
  pid: number;
  name: string | null;
  since: string | null;
}

/**
 * @param earlier the process of the connection that this one replaces: it is ended where it still holds the lock
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
    // Cut off without a farewell, the server would keep the session for minutes.
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
 * Whether the session is one of the server for as long as the connection is.
 * @throws StoreError `unusable` behind a pooler that lends sessions out
 */
export async function refusePooler(connection: Connection, settings: ConnectionSettings): Promise<void> {
  // A pooler names a process of its own, or none; one that keeps a session for each connection is as good as none.
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
    // While the other one is in a transaction, it has the session that this one was lent before.
    await other.script("BEGIN");
    const pidOf = async (on: Connection) =>
      (await on.query<{ pid: number }>("SELECT pg_backend_pid() AS pid"))[0]?.pid;
    const [theirs, ours] = [await pidOf(other), await pidOf(connection)];
    if (ours !== connection.pid || theirs === connection.pid) throw refused();
  } finally {
    await other.end();
  }
}
