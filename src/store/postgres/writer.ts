// Group commit: the units of work that wait while a transaction runs share the next one. Other nodes commit to the same
// log meanwhile.
//
// W1  Every transaction first locks the head, and sends nothing that changes a row, nor its COMMIT, before the server has
//     answered that. So transactions of all nodes follow one another, and a process that lost its connection has at most
//     one transaction left on the server, which has the head already: it ends there before the next one begins. The
//     server ends a session that it knows to be cut off or idle in a transaction; the next connection of the node, and the
//     other nodes once they give it up, end it before that.
// W2  So the outcome of a commit whose answer was lost is settled as soon as the head can be locked again, and is then
//     read from the token that the commit left in the row of this run of the daemon. Other nodes that committed meanwhile
//     left theirs in their own rows.
// W3  A unit is never applied twice: it is retried only if its transaction is known not to be committed.
// W4  A unit is never reported as failed while its commit may have succeeded: it waits until the outcome is known.
//     Units queued behind it fail at once while the database is away.
// W5  A unit that was handed over under leases is refused as `fenced` before anything of the group is written, unless
//     this node holds all of them under the same tokens. Whoever takes a lease, or takes it away, locks the head first, so
//     nobody else can have it before this commit has ended. The other units of the group are not affected.

import { randomUUID } from "node:crypto";
import type { monotonicFactory } from "ulid";
import type { Clock } from "../../core/clock.ts";
import type { DedupeKey } from "../prepared.ts";
import type { Connection } from "./connection.ts";
import { endsSession, postgresError, toPostgresError } from "./errors.ts";
import { currentLeases, type Held, outsideLeases } from "./fleet/context.ts";
import { HEAD_COLUMNS, type HeadRow, Transaction } from "./transaction.ts";

export interface Unit<T> {
  run(transaction: Transaction): T | Promise<T>;
  /** Looked up before the unit runs. */
  keys?: readonly DedupeKey[];
}

export interface Writer {
  /**
   * Runs the unit inside the next transaction, after the units queued before it; it may run twice, so it may change
   * only the database. `committed` gets the result once it is on disk, before the promise resolves.
   * @throws StoreError: nothing of it was committed
   */
  write<T>(unit: Unit<T>, committed?: (result: T) => void, canWait?: boolean): Promise<T>;
  /** Gives its connection up for another one. */
  drop(): void;
  /** Commits the queued units and waits for that, but not for an unavailable database. */
  close(): Promise<void>;
}

export interface WriterOptions {
  clock: Pick<Clock, "monotonic" | "after" | "sleep">;
  place: string;
  /** Of this run of the daemon: identifies its commits and its leases. */
  incarnation: number;
  nextId: ReturnType<typeof monotonicFactory>;
  /** Types that are in the table of types. */
  knownTypes: Set<string>;
  /** A connection that holds the lock of the schema, with all preconditions checked. @throws StoreError */
  connect(): Promise<Connection>;
  /** After each successful transaction, before its promises are resolved. */
  onCommit(latest: number, id: string | null): void;
  /** The same, after they are resolved. */
  afterCommit(): void;
}

interface Queued {
  unit: Unit<unknown>;
  /** Those that it was handed over under. */
  leases: readonly Held[];
  settle(result: unknown): void;
  reject(error: unknown): void;
}

interface Committed {
  units: readonly Queued[];
  results: unknown[];
  /** The newest event. */
  latest: number;
  id: string | null;
  types: Set<string>;
}

/** The delay between two commits if all units in the second can wait. */
const GATHER_MS = 5;
const MOST_UNITS = 200;
/** Between two attempts to reach the database. */
const AGAIN_MS = 250;
const CLOSE_WITHIN_MS = 4000;

export function createWriter(options: WriterOptions): Writer {
  const { clock, place, incarnation, nextId, knownTypes } = options;
  let queue: Queued[] = [];
  let connection: Connection | undefined;
  let current: Promise<void> | undefined;
  let stopWaiting: (() => void) | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  const closing = new AbortController();

  const connected = async (): Promise<Connection> => {
    if (connection && !connection.isLost) return connection;
    connection = undefined;
    connection = await options.connect();
    return connection;
  };

  /** @returns the transaction, and the units that may run in it (W5) */
  const begin = async (
    on: Connection,
    units: readonly Queued[],
  ): Promise<{ transaction: Transaction; allowed: Queued[] }> => {
    const leases = new Set(units.flatMap((queued) => queued.leases).map(({ resource }) => resource));
    // Sent together and done in order: what is held is read once the head is locked.
    const [, [row], held] = await Promise.all([
      on.script("BEGIN"),
      on.query<HeadRow>(`SELECT ${HEAD_COLUMNS} FROM head FOR UPDATE`),
      leases.size === 0
        ? []
        : on.query<{ resource: string; token: number }>(
            "SELECT resource, token FROM leases WHERE resource = ANY($1::text[]) AND holder = $2",
            [[...leases], incarnation],
          ),
    ]);
    if (!row) throw postgresError("corrupt", place, "the end of the log is not there");
    const tokens = new Map(held.map(({ resource, token }) => [resource, token]));
    const allowed = units.filter((queued) => {
      const late = queued.leases.find(
        (lease) => lease.isOver() || tokens.get(lease.resource) !== lease.token,
      );
      if (!late) return true;
      late.onRefused();
      queued.reject(postgresError("fenced", place, `the lease of ${late.resource} is lost`));
      return false;
    });
    const transaction = new Transaction(on, row, nextId, knownTypes);
    await transaction.look(allowed.flatMap(({ unit }) => unit.keys ?? []));
    return { transaction, allowed };
  };

  /** Whether a commit whose answer was lost succeeded (W2). Waits for the database. */
  const wasCommitted = async (token: string): Promise<boolean> => {
    for (;;) {
      try {
        const on = await connected();
        await on.script("BEGIN; SELECT 1 FROM head FOR UPDATE");
        const [found] = await on.query<{ token: string }>(
          "SELECT token FROM commits WHERE incarnation = $1",
          [incarnation],
        );
        await on.script("COMMIT");
        return found?.token === token;
      } catch (error) {
        if (closing.signal.aborted)
          throw postgresError("io", place, "the database went away in a commit", {
            remedy: "whether it came through is in the database",
            cause: error,
          });
        // What is queued behind it was not begun, and its callers need not wait for the same answer.
        const behind = queue;
        queue = [];
        rejectAll(behind, error);
        await clock.sleep(AGAIN_MS, closing.signal).catch(() => {});
      }
    }
  };

  /**
   * @returns undefined: no unit may run any more
   * @throws the error that kept it from being committed
   */
  const attempt = async (on: Connection, queued: readonly Queued[]): Promise<Committed | undefined> => {
    const token = randomUUID();
    let sent: Committed | undefined;
    try {
      const { transaction, allowed: units } = await begin(on, queued);
      if (units.length === 0) {
        await on.script("ROLLBACK");
        return undefined;
      }
      const results: unknown[] = [];
      for (const { unit } of units) results.push(await unit.run(transaction));
      const ending = [
        ...transaction.flush(),
        ...transaction.end(incarnation, token).map(([text, values]) => on.run(text, values)),
      ];
      const commit = on.script("COMMIT");
      const { head } = transaction;
      sent = { units, results, latest: head.latest, id: head.last_id, types: transaction.types() };
      const failed = (await Promise.allSettled([...ending, commit])).find(
        ({ status }) => status === "rejected",
      );
      if (failed?.status === "rejected") throw failed.reason;
      // For a failed transaction, PostgreSQL answers COMMIT with ROLLBACK, which is not an error.
      if ((await commit).command !== "COMMIT")
        throw new Error("a transaction was rolled back without an error");
      return sent;
    } catch (error) {
      if (!on.isLost && !endsSession(error)) {
        await on.script("ROLLBACK").catch(() => on.destroy());
        throw error;
      }
      on.destroy();
      if (sent && (await wasCommitted(token))) return sent;
      throw error;
    }
  };

  const commitUnits = async (units: readonly Queued[]): Promise<void> => {
    for (let tries = 1; ; tries++) {
      let on: Connection;
      try {
        on = await connected();
      } catch (error) {
        return rejectAll(units, error);
      }
      try {
        const done = await attempt(on, units);
        if (done) settleAll(done);
        return;
      } catch (error) {
        // Known not to be committed (W3): retry once if only the connection was lost.
        if (on.isLost && tries === 1 && !closing.signal.aborted) continue;
        // One bad unit must not fail the others, and a small one may fit where all together did not.
        if (units.length > 1 && !on.isLost) for (const unit of units) await commitUnits([unit]);
        else rejectAll(units, error);
        return;
      }
    }
  };

  const rejectAll = (units: readonly Queued[], error: unknown) => {
    const reported = toPostgresError(error, place);
    for (const unit of units) unit.reject(reported);
  };

  const settleAll = (done: Committed) => {
    for (const type of done.types) knownTypes.add(type);
    options.onCommit(done.latest, done.id);
    done.units.forEach((unit, index) => {
      unit.settle(done.results[index]);
    });
    options.afterCommit();
  };

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const units = queue.slice(0, MOST_UNITS);
      queue = queue.slice(MOST_UNITS);
      await commitUnits(units);
      lastAt = clock.monotonic();
    }
    current = undefined;
  };

  const start = () => {
    stopWaiting?.();
    stopWaiting = undefined;
    // After the poll phase, so that all answers that arrived with this one share its transaction.
    current ??= outsideLeases(() => new Promise<void>((resolve) => setImmediate(resolve)).then(run));
  };

  return {
    write: (unit, committed, canWait = false) =>
      new Promise((resolve, reject) => {
        queue.push({
          unit,
          leases: currentLeases(),
          settle: (result) => {
            // The result of this unit's own `run`, which the queue cannot type.
            const own = result as Awaited<ReturnType<typeof unit.run>>;
            committed?.(own);
            resolve(own);
          },
          reject,
        });
        const waitMs = lastAt + GATHER_MS - clock.monotonic();
        if (!canWait || waitMs <= 0) start();
        else if (!current) stopWaiting ??= clock.after(waitMs, start);
      }),
    drop: () => connection?.destroy(),
    close: async () => {
      if (queue.length > 0) start();
      const give = clock.after(CLOSE_WITHIN_MS, () => closing.abort());
      await current;
      give();
      closing.abort();
      await connection?.end();
    },
  };
}
