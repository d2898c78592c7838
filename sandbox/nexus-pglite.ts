/**
 * The worker thread in which PGlite runs, so that PostgreSQL's work never stops the stand-ins' event loop.
 * It serves one socket for PostgREST and answers statements that the parent posts.
 */

import { createHash, randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { chmod, lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

/** The parameters that the parent starts the worker with. */
export interface PgliteData {
  /** Path of the Unix socket to serve. */
  socket: string;
  seed: boolean;
}

/** A statement to run. Without parameters it may be several statements; the rows of the last are returned. */
export interface PgliteQuery {
  id: number;
  text: string;
  params?: unknown[];
}

export type PgliteMessage =
  | { kind: "ready" }
  | { kind: "rows"; id: number; rows: Record<string, unknown>[] }
  | { kind: "error"; id: number; message: string };

if (parentPort === null) throw new Error("nexus-pglite.ts runs as a worker thread only");
const parent = parentPort;
const post = (message: PgliteMessage) => parent.postMessage(message);

/** Parse, Bind, Describe, Execute, Close, Flush. */
const extendedQuery = new Set("PBDECH");

// Both ends of this channel are in this folder.
const options = workerData as PgliteData;
const schema = await readFile(new URL("./nexus-schema.sql", import.meta.url), "utf8");
const db = await openDatabase();
if (options.seed) await db.exec(await readFile(new URL("./nexus-seed.sql", import.meta.url), "utf8"));

// PostgREST's messages and the parent's statements share one backend: a statement waits until PostgREST's transaction
// ends, or it would become part of it, and holds back PostgREST's messages meanwhile.
let turn: Promise<unknown> = Promise.resolve();
function alone<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.then(work);
  turn = result.catch(() => undefined);
  return result;
}
const passMessage = db.runExclusive.bind(db);
db.runExclusive = (work) => alone(() => passMessage(work));
// Between Parse and Sync there is an unnamed statement that must not be replaced, inside a transaction or not.
let awaitsSync = false;
const execute = db.execProtocolRawStream.bind(db);
db.execProtocolRawStream = (message, handlers) => {
  awaitsSync = extendedQuery.has(String.fromCharCode(message[0] ?? 0));
  return execute(message, handlers);
};
// The old connection may still be closing when PostgREST opens a new one.
await new PGLiteSocketServer({ db, path: options.socket, maxConnections: 4 }).start();

async function run(query: PgliteQuery): Promise<Record<string, unknown>[]> {
  for (;;) {
    const result = await alone(async () => {
      if (awaitsSync || db.isInTransaction()) return undefined;
      if (query.params !== undefined) return db.query<Record<string, unknown>>(query.text, query.params);
      return (await db.exec(query.text)).at(-1) ?? { rows: [] };
    });
    if (result !== undefined) return result.rows;
    await nextTurn();
  }
}

parent.on("message", async (query: PgliteQuery) => {
  try {
    post({ kind: "rows", id: query.id, rows: await run(query) });
  } catch (error) {
    post({ kind: "error", id: query.id, message: error instanceof Error ? error.message : String(error) });
  }
});
post({ kind: "ready" });

/** initdb takes seconds and copying its result half a second, so the empty schema is cached for the next start. */
async function openDatabase(): Promise<PGlite> {
  const directory = await cacheDirectory().catch(() => undefined);
  const manifest = await readFile(
    new URL("../package.json", import.meta.resolve("@electric-sql/pglite")),
    "utf8",
  );
  const key = createHash("sha256").update(manifest).update(schema).digest("hex").slice(0, 32);
  const file = directory === undefined ? undefined : join(directory, `${key}.tar`);
  if (file !== undefined) {
    try {
      return await PGlite.create({ loadDataDir: await openAsBlob(file) });
    } catch {
      // Missing or unusable: it is created below.
    }
  }
  const db = await PGlite.create();
  await db.exec(schema);
  if (file !== undefined) {
    const dump = await db.dumpDataDir("none");
    await store(file, new Uint8Array(await dump.arrayBuffer())).catch(() => undefined);
  }
  return db;
}

/** A directory of this user: in a shared one, another user could plant a database. */
async function cacheDirectory(): Promise<string> {
  const uid = process.getuid?.();
  const directory = join(tmpdir(), `nexusd-sandbox-${uid}`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== uid) throw new Error(`${directory} is somebody else's`);
  await chmod(directory, 0o700);
  return directory;
}

/** Complete or absent at any moment, even if another process writes the same file. */
async function store(file: string, bytes: Uint8Array): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, bytes, { mode: 0o600 });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
