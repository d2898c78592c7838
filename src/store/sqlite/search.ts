// Searches for words off the event loop, so that a search of a large memory holds nothing else up. The thread starts
// with the first search and ends after a while without one, so an idle daemon does not pay for it.

import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import type { FoundEvent, SearchQuery } from "../../contract/store.ts";
import type { Clock } from "../../core/clock.ts";
import { storeError } from "./errors.ts";

const WITHIN_MS = 10_000;
const IDLE_MS = 30_000;
const CLOSE_WITHIN_MS = 1000;
/** In MiB: enough for one page of events and its statement. */
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

export type SearchAnswer = { found: FoundEvent[] } | { failed: { message: string; code: string } };

export interface Search {
  /** In the order of the calls. @throws StoreError `busy`, SqliteError */
  find(query: SearchQuery): Promise<FoundEvent[]>;
  /** Searches in progress fail. */
  close(): Promise<void>;
}

interface Waiting {
  query: SearchQuery;
  settle(answer: SearchAnswer | Error): void;
}

// dist/ has JavaScript files.
const THREAD = new URL(`./search-thread${import.meta.url.slice(-3)}`, import.meta.url);
const startThread = (path: string): Worker => new Worker(THREAD, { workerData: path, resourceLimits: HEAP });

/**
 * @param options.path the database file
 * @param options.place the data directory, named in errors
 */
export function createSearch(options: {
  path: string;
  place: string;
  clock: Pick<Clock, "after">;
  start?: (path: string) => Worker;
}): Search {
  const { path, place, clock, start = startThread } = options;
  const queue: Waiting[] = [];
  let current: Waiting | undefined;
  let thread: Worker | undefined;
  let isEnding = false;
  let stopIdling = () => {};

  const ended = (why: string) =>
    storeError("busy", place, `a search ended early (${why})`, { remedy: "try it again" });

  const settle = (answer: SearchAnswer | Error) => {
    const done = current;
    current = undefined;
    done?.settle(answer);
  };

  const next = (): void => {
    // The exit of the thread makes room for another one.
    if (current || isEnding) return;
    stopIdling();
    current = queue.shift();
    if (!current) {
      stopIdling = clock.after(IDLE_MS, end);
      thread?.unref();
      return;
    }
    thread ??= open();
    thread.ref();
    thread.postMessage(current.query);
  };

  const open = (): Worker => {
    const opened = start(path);
    let why = "its thread ended";
    opened.on("message", (answer: SearchAnswer) => {
      settle(answer);
      next();
    });
    opened.on("error", (error) => {
      why = error instanceof Error ? error.message : why;
    });
    opened.on("exit", () => {
      thread = undefined;
      isEnding = false;
      settle(ended(why));
      if (queue.length > 0) next();
    });
    return opened;
  };

  const end = (): void => {
    if (!thread || isEnding) return;
    isEnding = true;
    thread.postMessage(null);
  };

  const giveUp = (waiting: Waiting): void => {
    const late = storeError("busy", place, `a search took longer than ${WITHIN_MS / 1000} s`);
    if (waiting === current) {
      settle(late);
      isEnding = true;
      void thread?.terminate();
      return;
    }
    queue.splice(queue.indexOf(waiting), 1);
    waiting.settle(late);
  };

  return {
    find: (query) =>
      new Promise((resolve, reject) => {
        const waiting: Waiting = {
          query,
          settle(answer) {
            stopWaiting();
            if (answer instanceof Error) reject(answer);
            else if ("found" in answer) resolve(answer.found);
            else reject(new Database.SqliteError(answer.failed.message, answer.failed.code));
          },
        };
        const stopWaiting = clock.after(WITHIN_MS, () => giveUp(waiting));
        queue.push(waiting);
        next();
      }),
    async close() {
      stopIdling();
      for (const waiting of queue.splice(0)) waiting.settle(ended("the store is closed"));
      settle(ended("the store is closed"));
      const last = thread;
      if (!last) return;
      const exit = new Promise<void>((resolve) => last.once("exit", () => resolve()));
      end();
      const stopWaiting = clock.after(CLOSE_WITHIN_MS, () => void last.terminate());
      await exit;
      stopWaiting();
    },
  };
}
