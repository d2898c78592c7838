// The thread of src/store/sqlite/search.ts: reads on its own connection, one query after the other.

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
db.pragma("temp_store = MEMORY"); // no temporary file outside the directory
const reader = createSearchReader(db);
// All statements of a query read the same snapshot.
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
