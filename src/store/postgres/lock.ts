// Who uses a schema: a session-level lock of each committing session, which PostgreSQL releases when that ends. Nodes of
// a fleet share it. A migration and a move of the database need it alone, and so did versions before there were fleets.
// A pooler in transaction or statement mode breaks this guarantee.

import { Connection, type ConnectionSettings } from "./connection.ts";
import { postgresError } from "./errors.ts";

/** How long to wait for the end of a session whose process is gone, which the server notices on its own. */
const TAKE_WITHIN_MS = 3000;
const AGAIN_MS = 50;

const KEYS = "hashtext('nexusd'), hashtext($1)";
/** Held for as long as a transaction migrates the schema. */
export const MIGRATION_KEYS = "hashtext('nexusd migration'), hashtext($1)";

const lockOf = (name: "nexusd" | "nexusd migration") =>
  `l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = (hashtext('${name}')::bigint & 4294967295)::oid
   AND l.objid = (hashtext($1)::bigint & 4294967295)::oid`;

interface Holder {
  name: string | null;
  since: string | null;
}

/**
 * Locks the schema until the connection ends.
 * @param isWaited asked again and again while others hold it: false ends the wait
 * @returns false: `isWaited` ended the wait
 * @throws StoreError `locked`, naming who holds it
 */
export async function takeLock(
  connection: Connection,
  { schema, place }: Pick<ConnectionSettings, "schema" | "place">,
  mode: "alone" | "shared",
  sleep: (ms: number) => Promise<void>,
  isWaited: () => Promise<boolean> = async () => true,
): Promise<boolean> {
  const take = mode === "alone" ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared";
  for (let waited = 0; ; waited += AGAIN_MS) {
    const [taken] = await connection.query<{ ok: boolean }>(`SELECT ${take}(${KEYS}) AS ok`, [schema]);
    if (taken?.ok) return true;
    if (!(await isWaited())) return false;
    const migrating = await connection.query(`SELECT FROM pg_locks l WHERE ${lockOf("nexusd migration")}`, [
      schema,
    ]);
    if (migrating.length > 0) waited = 0;
    else if (waited >= TAKE_WITHIN_MS) {
      const holders = await readHolders(connection, schema);
      if (holders.length > 0)
        throw postgresError("locked", place, `in use by ${holders.map(toWords).join(", ")}`, {
          remedy:
            mode === "alone" ? "stop it first" : "stop that one, or name another schema in [store] schema",
        });
    }
    await sleep(AGAIN_MS);
  }
}

/** Keeps the schema that this connection has alone, but lets other nodes use it, too. */
export async function shareLock(connection: Connection, schema: string): Promise<void> {
  await connection.query(`SELECT pg_advisory_lock_shared(${KEYS})`, [schema]);
  await connection.query(`SELECT pg_advisory_unlock(${KEYS})`, [schema]);
}

export async function freeLock(connection: Connection, schema: string): Promise<void> {
  await connection.query(`SELECT pg_advisory_unlock_shared(${KEYS})`, [schema]);
}

const readHolders = (connection: Connection, schema: string) =>
  connection.query<Holder>(
    `SELECT a.application_name AS name, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
     FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) WHERE ${lockOf("nexusd")} AND l.pid <> pg_backend_pid()
     ORDER BY 1`,
    [schema],
  );

const toWords = ({ name, since }: Holder) => `${name ?? "another nexusd"}, since ${since}`;

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
