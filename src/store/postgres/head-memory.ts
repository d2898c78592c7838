// Remembers the last end of the log that this node saw or was told of, in its data directory. A database that went back in time, such
// as a replica that was promoted before it had caught up, has a different one.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import type { Connection } from "./connection.ts";

const EVERY_MS = 1000;

const remembered = z.object({
  epoch: z.string(),
  /** The newest sequence, and the id of its event. */
  latest: z.int().nonnegative(),
  id: z.string().nullable(),
});

type Remembered = z.output<typeof remembered>;

export interface HeadMemory {
  /** Why the database is not the one that was seen, or an earlier state of it; undefined: it is the same. */
  lacks(connection: Connection, epoch: string): Promise<string | undefined>;
  note(head: Remembered): void;
  /** Writes the last note to disk. */
  flush(): void;
}

/** @param dataDir undefined: nothing survives a restart */
export function createHeadMemory(dataDir: string | undefined, clock: Pick<Clock, "after">): HeadMemory {
  const path = dataDir === undefined ? undefined : join(dataDir, "postgres.json");
  let seen = path === undefined ? undefined : readMemory(path);
  let stop: (() => void) | undefined;

  const flush = () => {
    stop?.();
    stop = undefined;
    if (path === undefined || !seen) return;
    try {
      writeFileSync(`${path}.new`, `${JSON.stringify(seen)}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch {
      // This is only an extra check: without it an older state is compared, which still detects most cases.
    }
  };

  return {
    // Commits may follow while it is compared, of this node and of others.
    lacks: async (connection, epoch) => {
      const before = seen;
      if (!before || before.epoch !== epoch) return undefined;
      const [row] = await connection.query<{ latest: number; oldest: number; id: string | null }>(
        "SELECT latest, oldest, (SELECT id FROM events WHERE sequence = $1) AS id FROM head",
        [before.latest],
      );
      if (!row) return "the end of its log is gone";
      if (row.latest < before.latest)
        return `its log ended at ${before.latest}, and ends at ${row.latest} now`;
      if (before.latest >= row.oldest && before.id !== null && row.id !== before.id)
        return `its event ${before.latest} is another one than before`;
      return undefined;
    },
    note: (head) => {
      if (seen?.epoch === head.epoch && head.latest < seen.latest) return;
      seen = head;
      if (path !== undefined) stop ??= clock.after(EVERY_MS, flush);
    },
    flush,
  };
}

function readMemory(path: string): Remembered | undefined {
  try {
    return remembered.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}
