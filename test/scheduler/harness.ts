// A scheduler on a fake clock, with a store in memory that can be told to fail.

import { pino } from "pino";
import { configSchema } from "../../src/config/schema.ts";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Observation, Store } from "../../src/contract/store.ts";
import type { Job, JobStatus, Scheduler } from "../../src/scheduler/job.ts";
import { createScheduler, type SchedulerOptions } from "../../src/scheduler/scheduler.ts";
import type { MessagingClient } from "../../src/services/messaging/client.ts";
import { createLocalFleet } from "../../src/store/local-fleet.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { watchedClock } from "../support/steady-clock.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A Thursday, noon. */
export const NOON = Date.UTC(2026, 0, 1, 12);

export interface FakeStore extends Store {
  events: NewEvent[];
  cursors: Map<string, unknown>;
  records: Map<string, Map<string, unknown>>;
  /** The error that every call throws from now on. */
  failure: Error | undefined;
}

/** The part of the port that the scheduler uses; everything else throws. */
export function createFakeStore(): FakeStore {
  const store = {
    fleet: createLocalFleet({ name: "test", version: "" }, "test", { now: () => NOON }),
    events: [] as NewEvent[],
    cursors: new Map<string, unknown>(),
    records: new Map<string, Map<string, unknown>>(),
    failure: undefined as Error | undefined,
    async commitObservation({ source, cursor, events = [], put = [], remove = [] }: Observation) {
      if (store.failure) throw store.failure;
      if (cursor !== undefined) store.cursors.set(source, JSON.parse(JSON.stringify(cursor)));
      store.events.push(...events);
      for (const { kind, key, value } of put) {
        const rows = store.records.get(kind) ?? new Map<string, unknown>();
        store.records.set(kind, rows.set(key, value));
      }
      for (const { kind, key } of remove) store.records.get(kind)?.delete(key);
      return { appended: [], duplicates: 0, latest: store.events.length };
    },
    async readCursor(source: string) {
      if (store.failure) throw store.failure;
      const value = store.cursors.get(source);
      return value === undefined ? undefined : { value, updatedAt: "" };
    },
    async readRecords(kind: string) {
      if (store.failure) throw store.failure;
      return [...(store.records.get(kind) ?? [])].map(([key, value]) => ({ key, value, updatedAt: "" }));
    },
  };
  return store as unknown as FakeStore; // the rest of the port is not used by the scheduler
}

export interface Harness {
  clock: FakeClock;
  store: FakeStore;
  scheduler: Scheduler;
  logged: Record<string, unknown>[];
  status(name?: string): JobStatus;
  /** The events of one type so far, as their data. */
  eventsOf(type: NewEvent["type"]): Record<string, unknown>[];
}

export function createHarness(
  jobs: Job[],
  parts: Partial<Pick<Harness, "clock" | "store">> & {
    /** A real store, in the place of the fake one. */
    realStore?: Store;
    /** The part of the services that the jobs use; default: none. */
    services?: { messaging: Pick<MessagingClient, "sessions" | "changes"> };
    random?: () => number;
    /** In a fleet. */
    holderOf?: NonNullable<SchedulerOptions["holderOf"]>;
    invalid?: NonNullable<SchedulerOptions["invalid"]>;
  } = {},
): Harness {
  const clock = parts.clock ?? createFakeClock(NOON);
  const store = parts.store ?? createFakeStore();
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const scheduler = createScheduler({
    jobs,
    ...(parts.holderOf && { holderOf: parts.holderOf }),
    ...(parts.invalid && { invalid: parts.invalid }),
    context: {
      clock,
      steady: watchedClock(clock),
      store: parts.realStore ?? store,
      log,
      config: testConfig(),
      random: parts.random ?? (() => 0.5),
      // No job of these tests uses more of them.
      services: (parts.services ?? {}) as SchedulerOptions["context"]["services"],
    },
  });
  return {
    clock,
    store,
    scheduler,
    logged,
    status(name = jobs[0]?.name ?? "") {
      const status = scheduler.list().find((job) => job.name === name);
      if (!status) throw new Error(`no status of ${name}`);
      return status;
    },
    eventsOf: (type) =>
      store.events.filter((event) => event.type === type).map((event) => ({ ...event.data })),
  };
}

export const testConfig = (overrides: Record<string, unknown> = {}) =>
  configSchema.parse({ nex: { enabled: false }, nexus: { enabled: false }, ...overrides });

/** A promise with its resolve and reject, for a run that a test holds open. */
export function deferred(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (error: unknown) => void;
} {
  return Promise.withResolvers<void>();
}
