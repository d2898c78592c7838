/** The Nexus stand-in's data: PGlite in a worker, with PostgREST in front. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { PgliteData, PgliteMessage, PgliteQuery } from "./nexus-pglite.ts";
import { type Postgrest, startPostgrest } from "./nexus-postgrest.ts";
import { findPostgrest, noPostgrest } from "./postgrest-program.ts";

export type Row = Record<string, unknown>;

export interface Database {
  /** Resolves when both answer; rejects with the reason if they cannot. Everything below waits for it. */
  ready: Promise<void>;
  /** Runs SQL as the superuser; without parameters it may be several statements; returns the rows of the last. */
  sql(text: string, params?: unknown[]): Promise<Row[]>;
  rest: Postgrest["ask"];
  isClosed(): boolean;
  close(): Promise<void>;
}

/** Returns immediately and starts in the background. */
export function startDatabase(options: { jwtSecret: string; dbMaxRows: number; seed: boolean }): Database {
  const stopping = new AbortController();
  const starting = start(options, stopping.signal);
  const ready = starting.then(() => undefined);
  // Callers that await it see a failure; without one, the rejection must not end the process.
  ready.catch(() => undefined);

  return {
    ready,
    sql: (text, params) => starting.then(({ query }) => query(text, params)),
    rest: (...request) => starting.then(({ postgrest }) => postgrest.ask(...request)),
    isClosed: () => stopping.signal.aborted,
    async close() {
      stopping.abort(new Error("the sandbox stops"));
      const parts = await starting.catch(() => undefined);
      await parts?.close();
    },
  };
}

interface Parts {
  query(text: string, params?: unknown[]): Promise<Row[]>;
  postgrest: Postgrest;
  close(): Promise<void>;
}

async function start(
  options: { jwtSecret: string; dbMaxRows: number; seed: boolean },
  signal: AbortSignal,
): Promise<Parts> {
  // Do not start a database that could not be queried.
  if (!findPostgrest()) throw new Error(noPostgrest());
  const directory = await mkdtemp(join(tmpdir(), "nexusd-pg-"));
  const workerData: PgliteData = { socket: join(directory, ".s.PGSQL.5432"), seed: options.seed };
  const worker = new Worker(new URL("./nexus-pglite.ts", import.meta.url), { workerData });
  try {
    await once(worker, "message", { signal });
    const query = queries(worker);
    const postgrest = await startPostgrest({ directory, ...options });
    const close = async () => {
      await Promise.all([postgrest.close(), worker.terminate()]);
    };
    return { query, postgrest, close };
  } catch (error) {
    await worker.terminate();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

function queries(worker: Worker): Parts["query"] {
  const waiting = new Map<number, { resolve(rows: Row[]): void; reject(error: Error): void }>();
  let lastId = 0;
  worker.on("message", (message: PgliteMessage) => {
    if (message.kind === "ready") return;
    const caller = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.kind === "rows") caller?.resolve(message.rows);
    else caller?.reject(new Error(message.message));
  });
  const failAll = (error: Error) => {
    for (const caller of waiting.values()) caller.reject(error);
    waiting.clear();
  };
  worker.on("error", failAll);
  worker.on("exit", () => failAll(new Error("the sandbox's database has stopped")));
  return (text, params) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      const message: PgliteQuery = { id: lastId, text, ...(params === undefined ? {} : { params }) };
      worker.postMessage(message);
    });
}
