// What other nodes do to records: looked up once a second by the number that each change gets under the lock of the
// head, and so in the order of the commits.

import type { RecordChange, SharedRecords } from "../../contract/shared-records.ts";
import type { Clock } from "../../core/clock.ts";
import { type RecordRow, toRecord } from "./state.ts";
import type { ReadUnit } from "./units.ts";

const EVERY_MS = 1000;
/** How long a removal is remembered for nodes that could not look. */
const FORGET_AFTER = "1 day";
const FORGET_EVERY_MS = 60 * 60_000;

interface ChangeRow extends RecordRow {
  position: number;
  kind: string | null;
  value: string;
  is_gone: boolean;
}

const POSITION = `SELECT greatest((SELECT max(change) FROM records), (SELECT max(change) FROM removed_records), 0)`;
// One statement, and so one state of the database.
const CHANGES = `SELECT p.position, c.* FROM (${POSITION} AS position) p LEFT JOIN LATERAL (
    SELECT kind, key, value, updated_at, change, false AS is_gone FROM records
    WHERE change > $1 AND kind = ANY($2::text[]) AND writer <> current_setting('application_name')
    UNION ALL
    SELECT kind, key, '', '', change, true FROM removed_records
    WHERE change > $1 AND kind = ANY($2::text[]) AND writer <> current_setting('application_name')
  ) c ON true ORDER BY c.change`;

type Listener = Parameters<SharedRecords["watch"]>[1];

export function createSharedRecords({
  read,
  clock,
  position: opened,
}: {
  read: ReadUnit;
  clock: Pick<Clock, "after" | "monotonic">;
  /** The last change before anything was read. */
  position: number;
}): SharedRecords & { close(): void } {
  const watchers = new Map<Listener, ReadonlySet<string>>();
  let position = opened;
  let cancel: (() => void) | undefined;
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let forgotAt = clock.monotonic();

  const once = async () => {
    next = undefined;
    const kinds = new Set([...watchers.values()].flatMap((watched) => [...watched]));
    if (kinds.size === 0) return;
    const rows = await read((on) => on.query<ChangeRow>(CHANGES, [position, [...kinds]]));
    for (const change of changesOf(rows))
      for (const [listener, watched] of watchers) if (watched.has(change.kind)) await listener(change);
    position = rows[0]?.position ?? position;
    if (clock.monotonic() - forgotAt < FORGET_EVERY_MS) return;
    forgotAt = clock.monotonic();
    await read((on) =>
      on.run(`DELETE FROM removed_records WHERE removed_at < now() - interval '${FORGET_AFTER}'`),
    );
  };
  /** One at a time; whoever asks during one is served by the next. */
  const look = (): Promise<void> => {
    next ??= last.then(once);
    last = next.catch(() => {});
    return next;
  };
  const lookLater = () => {
    cancel = clock.after(EVERY_MS, () => {
      // An unavailable database is noticed by others; the next look finds what this one missed.
      look()
        .catch(() => {})
        .finally(() => cancel && lookLater());
    });
  };

  return {
    watch(kinds, listener) {
      watchers.set(listener, new Set(kinds));
      if (!cancel) lookLater();
      return () => void watchers.delete(listener);
    },
    look,
    close() {
      watchers.clear();
      cancel?.();
      cancel = undefined;
    },
  };
}

/** The last change before now. */
export const readPosition = async (on: Parameters<Parameters<ReadUnit>[0]>[0]): Promise<number> =>
  (await on.query<{ position: number }>(`${POSITION} AS position`))[0]?.position ?? 0;

function changesOf(rows: readonly ChangeRow[]): RecordChange[] {
  const byKind = new Map<string, RecordChange>();
  for (const row of rows) {
    if (row.kind === null) continue;
    const change = byKind.get(row.kind) ?? { kind: row.kind, put: [], removed: [] };
    byKind.set(row.kind, change);
    if (row.is_gone) change.removed.push(row.key);
    else change.put.push(toRecord(row));
  }
  return [...byKind.values()];
}
