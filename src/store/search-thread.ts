// The thread of src/store/search.ts: reads insights on a connection of its own, one query after the other.

import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import type { InsightQuery } from "../contract/store.ts";
import { createInsightReader } from "./insight-reader.ts";
import type { SearchAnswer } from "./search.ts";

const BUSY_TIMEOUT_MS = 2000;

const db = new Database(String(workerData), {
  readonly: true,
  fileMustExist: true,
  timeout: BUSY_TIMEOUT_MS,
});
db.pragma("cache_size = -4000"); // KiB
db.pragma("temp_store = MEMORY"); // nothing of the log outside its directory
const reader = createInsightReader(db);
// All statements of one query see the same database.
const read = db.transaction(reader);

const answer = (query: InsightQuery): SearchAnswer => {
  try {
    return { found: read(query) };
  } catch (error) {
    if (error instanceof Database.SqliteError)
      return { failed: { message: error.message, code: error.code } };
    throw error;
  }
};

parentPort?.on("message", (query: InsightQuery | null) => {
  if (query !== null) {
    parentPort?.postMessage(answer(query));
    return;
  }
  db.close();
  parentPort?.close();
});
