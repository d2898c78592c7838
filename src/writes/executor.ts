// Executes approved writes: a person's first, each kind in the order of approval, one at a time for each target,
// several targets at once.

import type { Logger } from "pino";
import type { Actor } from "../contract/actor.ts";
import type { Service } from "../contract/new-event.ts";
import { type Store, StoreError } from "../contract/store.ts";
import type { Write, WriteResult } from "../contract/writes.ts";
import { createBackoff } from "../core/backoff.ts";
import { isoTime } from "../core/clock.ts";
import { stringifyJson } from "../core/exact-json.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import { within } from "../core/within.ts";
import type { Changes } from "../services/module.ts";
import { HOW_TO_FIND_OUT } from "./doubt.ts";
import { execute, type Result } from "./execution.ts";
import { isOver } from "./expiry.ts";
import { storedRequest } from "./input.ts";
import { effectsFailed } from "./outcome.ts";
import { createPauses } from "./pauses.ts";
import type { ExecutionOptions } from "./run.ts";

const AT_ONCE = 8;
/**
 * The part of them for writes approved by the policy: those may wait long for their share of a budget, and must not
 * delay a person's.
 */
const AUTO_AT_ONCE = AT_ONCE / 2;
/** How often expired proposals are swept and approved writes are looked for, even without a wake-up. */
const LOOK_EVERY_MS = 15_000;
/** How long a shutdown waits for work that was cut. */
const CUT_WITHIN_MS = 500;
const LONGEST_STORE_BACKOFF_MS = 10_000;
const PAGE = 100;

type Settled = Exclude<Result, { state: "executing" }>;

const EXECUTOR: Actor = { via: "nexusd", user: null };

export interface ExecutorOptions
  extends Omit<ExecutionOptions, "steady" | "countAttempt" | "whyNotApproved" | "onDefect" | "pauses"> {
  store: Store;
  /** What nexusd keeps of a service: it is committed together with the result of a write. */
  changesOf: (service: string) => Changes;
  steady: Pick<SteadyClock, "isOlder" | "ageOf">;
  log: Pick<Logger, "info" | "warn" | "error">;
}

export interface Executor {
  /**
   * Resumes what an earlier process left `executing`, then starts approved writes. Resolves when that is in progress;
   * it does not wait for any service. @throws StoreError if the writes cannot be read
   */
  start(): Promise<void>;
  /** Call it when a write was approved. */
  wake(): void;
  /** Makes writes that wait for their next attempt at a service try now: the service is back. */
  retryNow(service: Service): void;
  /** Starts nothing new, gives running work this much time, then cuts it; resolves when everything is settled. */
  stop(graceMs: number): Promise<void>;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { store, clock, random, log } = options;
  const closing = new AbortController();
  const cut = new AbortController();
  const stop = { closing: closing.signal, cut: cut.signal };
  const underWay = new Set<Promise<void>>();
  let autoUnderWay = 0;
  /** For each target, the result that is being written to disk, and then to the sessions in memory. */
  const settling = new Map<string, Promise<void>>();
  let claiming: Promise<void> | undefined;
  let isWoken = false;
  let isStarted = false;

  /** Tries until the store accepts it. What must not be lost is tried once more even after the shutdown. */
  const persist = async <T>(commit: () => Promise<T>): Promise<T> => {
    const backoff = createBackoff(random, 200, LONGEST_STORE_BACKOFF_MS);
    for (;;) {
      const isLast = closing.signal.aborted;
      try {
        return await commit();
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === "fenced" || isLast) throw error;
        await clock.sleep(backoff.next(), closing.signal).catch(() => {});
      }
    }
  };

  const pauses = createPauses(clock);
  const execution: ExecutionOptions = {
    ...options,
    pauses,
    countAttempt: (id) => persist(() => store.countWriteAttempt(id)),
    // Nothing was sent yet: while the approval cannot be read, the write waits, and no failure is its result.
    whyNotApproved: (write) => persist(() => store.whyNotApproved(write.id, write)),
    onDefect: ({ id, operation }, err) => {
      log.error({ writeId: id, operation, err }, "a defect of nexusd, or of an operation, in a write");
    },
  };

  const writeDown = async (write: Write, outcome: Settled): Promise<void> => {
    const { id, operation, service } = write;
    const { state, attempts } = outcome;
    const result = storable(outcome.result);
    const at = isoTime(clock.now());
    const { written } = await options
      .changesOf(service)
      .apply(outcome.effects, clock.now, async (observations) => {
        const written = await persist(() =>
          store.transitionWrite({
            ...{ id, from: "executing", to: state, at, actor: EXECUTOR, observations },
            patch: { finishedAt: at, attempts, result },
            detail: { operation, code: result.error?.code ?? null },
          }),
        );
        return { written, isCommitted: written?.kind === "done" || written?.write.state === state };
      });
    const line = { writeId: id, operation, state, ...(result.error && { code: result.error.code }) };
    // A commit that was reported as failed may still have happened.
    if (written?.kind !== "done" && written?.write.state !== state)
      log.error(
        { ...line, found: written?.write.state ?? null },
        "a write was changed before its result was stored",
      );
    else if (state === "unknown") log.warn(line, "the outcome of a write is unknown: a person has to check");
    else log.info(line, `a write ${state}`);
  };

  /** What an answer means for the sessions may be wrong: then at least the result is stored. */
  const writeDownAnyway = async (write: Write, outcome: Settled): Promise<void> => {
    try {
      await writeDown(write, outcome);
    } catch (error) {
      if (error instanceof StoreError || outcome.effects.length === 0) throw error;
      execution.onDefect(write, error);
      await writeDown(write, { ...outcome, ...withoutEffects(write, outcome, error), effects: [] });
    }
  };

  const settle = (write: Write, outcome: Settled): Promise<void> => {
    const work = writeDownAnyway(write, outcome).finally(() => {
      if (settling.get(write.target) === work) settling.delete(write.target);
    });
    settling.set(write.target, work);
    return work;
  };

  /** What was done, but could not be stored correctly, is neither a success nor a failure. */
  const withoutEffects = (
    { operation }: Write,
    { state, result }: Settled,
    error: unknown,
  ): Pick<Settled, "state" | "result"> => {
    if (state !== "succeeded") return { state, result };
    const remedy = options.catalogue.get(operation)?.howToFindOut ?? HOW_TO_FIND_OUT;
    return { state: "unknown", result: { ...result, error: effectsFailed(error), remedy } };
  };

  const run = async (write: Write, isRecovery: boolean): Promise<void> => {
    const { id, operation, service } = write;
    let release = () => {};
    try {
      const held = options.catalogue.get(operation)?.holds?.(storedRequest(write.request).input);
      if (held !== undefined) release = options.changesOf(service).hold(held);
      // The previous write may be on disk already, but not in memory, which this one is based on.
      await settling.get(write.target)?.catch(() => {});
      const outcome = await execute(write, isRecovery, execution, stop);
      if (outcome.state === "executing")
        log.warn({ writeId: id, operation }, "stopped in the middle of a write: the next start finds out");
      else await settle(write, outcome);
    } catch (err) {
      if (err instanceof StoreError && err.code === "fenced")
        log.warn({ writeId: id, operation }, "this node lost a write: the one that executes now finds out");
      else log.error({ writeId: id, operation, err }, "a write stays as it is until the next start");
    } finally {
      release();
    }
  };

  const begin = (write: Write, isRecovery: boolean): void => {
    const autos = write.approval === "auto" ? 1 : 0;
    autoUnderWay += autos;
    const running = run(write, isRecovery).finally(() => {
      underWay.delete(running);
      autoUnderWay -= autos;
      wake();
    });
    underWay.add(running);
  };

  const claimAll = async (): Promise<void> => {
    while (isWoken && !closing.signal.aborted) {
      isWoken = false;
      while (underWay.size < AT_ONCE && !closing.signal.aborted) {
        const onlyPeoples = autoUnderWay >= AUTO_AT_ONCE;
        const write = await persist(() => store.claimNextWrite(EXECUTOR, isoTime(clock.now()), onlyPeoples));
        if (!write) break;
        begin(write, false);
      }
    }
  };

  const wake = (): void => {
    isWoken = true;
    if (!isStarted || claiming || closing.signal.aborted) return;
    claiming = claimAll()
      .catch((err: unknown) => {
        log.error({ err }, "approved writes cannot be claimed; they wait");
      })
      .finally(() => {
        claiming = undefined;
        // Woken again between the last check and now.
        if (isWoken) wake();
      });
  };

  const look = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await store.expireWrites(isoTime(clock.now()), isOver(options.steady)).catch((err: unknown) => {
        // The state of the store is reported elsewhere; a decision checks the time itself.
        if (!(err instanceof StoreError)) log.error({ err }, "expired proposals cannot be swept");
      });
      wake();
      await clock.sleep(LOOK_EVERY_MS, closing.signal).catch(() => {});
    }
  };
  let looking: Promise<void> = Promise.resolve();

  return {
    async start() {
      const left: Write[] = [];
      for (let after: string | undefined; ; ) {
        const page = await store.readWrites({
          states: ["executing"],
          limit: PAGE,
          ...(after !== undefined && { after }),
        });
        left.push(...page);
        after = page.at(-1)?.id;
        if (page.length < PAGE) break;
      }
      for (const write of left) {
        log.warn(
          { writeId: write.id, operation: write.operation },
          "a write was interrupted: looking up its outcome",
        );
        begin(write, true);
      }
      isStarted = true;
      looking = look();
    },
    wake,
    retryNow: pauses.end,
    async stop(graceMs) {
      closing.abort();
      const settled = async () => {
        await Promise.all([claiming, looking]);
        await Promise.all(underWay);
      };
      if (await within(clock, graceMs, settled())) return;
      cut.abort();
      await within(clock, CUT_WITHIN_MS, settled());
    },
  };
}

/** The result as the store can keep it: an output that JSON cannot represent must not prevent storing the outcome. */
function storable(result: WriteResult): WriteResult {
  try {
    stringifyJson(result);
    return result;
  } catch {
    const { output: _, ...rest } = result;
    return rest;
  }
}
