// The thread of src/store/sqlite/search.ts: reads on a connection of its own, one query after the other.

import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import type { SearchQuery } from "../../contract/store.ts";
import type { SearchAnswer } from "./search.ts";
import { createSearchReader } from "./search-reader.ts";

const BUSY_TIMEOUT_MS = 2000;

const db = new Database(String(workerData), {
  readonly: true,
  fileMustExist: true,
  timeout: BUSY_TIMEOUT_MS,
});
db.pragma("cache_size = -4000"); // KiB
db.pragma("temp_store = MEMORY"); // nothing of the log outside its directory
const reader = createSearchReader(db);
// All statements of one query see the same database.
const read = db.transaction(reader);

const answer = (query: SearchQuery): SearchAnswer => {
  try {
    return { found: read(query) };
  } catch (error) {
    if (error instanceof Database.SqliteError)
      return { failed: { message: error.message, code: error.code } };
    throw error;
  }
};

parentPort?.on("message", (query: SearchQuery | null) => {
  if (query !== null) {
    parentPort?.postMessage(answer(query));
    return;
  }
  db.close();
  parentPort?.close();
});
