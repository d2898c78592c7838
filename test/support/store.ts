// Real stores in temporary directories, and small real file systems to fill.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, type TestContext } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { EventPage, Store } from "../../src/contract/store.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { StoreOptions } from "../../src/store/sqlite/store.ts";
import { openStore } from "./open-store.ts";

/** A directory that is removed after the test. */
export const temporaryDirectory = (base = tmpdir()): string => {
  const directory = mkdtempSync(join(base, "nexusd-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

/** A store, in a new directory by default; it is closed after the test. */
export const openTestStore = async (options: Partial<StoreOptions> = {}): Promise<Store> => {
  const store = await openStore({ dataDir: temporaryDirectory(), clock: systemClock, ...options });
  onTestFinished(() => store.close());
  return store;
};

/** Wall time that only the test moves; sleeping uses the system's. */
export const settableClock = (start: string): Clock & { set(time: string): void } => {
  let ms = Date.parse(start);
  return {
    ...systemClock,
    now: () => ms,
    set: (time) => {
      ms = Date.parse(time);
    },
  };
};

/**
 * A small file system in memory, unmounted after the test. If this user may not mount, the test is reported as skipped
 * with the reason, because nothing else is a full or read-only disk.
 */
export const smallDisk = (skip: TestContext["skip"], size: string) => {
  const directory = temporaryDirectory();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", directory], {
      stdio: "pipe",
    });
  } catch (error) {
    return skip(`needs a user who may mount a tmpfs: ${error instanceof Error ? error.message : error}`);
  }
  onTestFinished(() => {
    execFileSync("umount", [directory]);
  });
  return {
    directory,
    remount: (mode: "ro" | "rw") => {
      execFileSync("mount", ["-o", `remount,${mode}`, directory]);
    },
  };
};

/** Uses up all free space on the disk of `path`. */
export const fillDisk = (path: string): void => {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
};

/** A minimal event that carries a number. */
export const numbered = (n: number, source = "/test"): NewEvent => ({
  type: "service.recovered",
  source,
  data: { service: "nex", state: `${n}` },
});

/** The numbers that `numbered` events of a page carry. */
export const numbersOf = (page: Pick<EventPage, "events">): number[] =>
  page.events.map(({ json }) => Number(JSON.parse(json).data.state));
