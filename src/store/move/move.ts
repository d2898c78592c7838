// Moves a log from SQLite's file to a PostgreSQL schema, or back, while no daemon is running: everything, exactly. An
// interrupted move resumes where it stopped.

import { resolve } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { PostgresTarget } from "../postgres/inspect.ts";
import { openWriting } from "../postgres/open.ts";
import { openDirectory } from "../sqlite/open.ts";
import { postgresSource, postgresTarget } from "./postgres-side.ts";
import { openSource, openTarget } from "./sqlite-side.ts";
import { moveAll } from "./tables.ts";

export interface MoveOptions {
  /** The directory of SQLite's file. */
  dataDir: string;
  postgres: PostgresTarget;
  to: "postgres" | "sqlite";
  signal: AbortSignal;
  /** Called for each table, with the number of rows moved this time. */
  onTable: (name: string, rows: number) => void;
}

/** @throws StoreError: `locked` while a daemon is running; the source is left as it is */
export async function moveDatabase({ dataDir, postgres, to, ...how }: MoveOptions): Promise<void> {
  const directory = openDirectory(resolve(dataDir));
  try {
    const { url, schema, place } = postgres;
    const connection = await openWriting(
      { url, schema, place, applicationName: "nexusctl db move" },
      systemClock,
      "alone",
    );
    try {
      const file = to === "postgres" ? openSource(dataDir) : openTarget(dataDir);
      try {
        if ("source" in file) {
          const { epoch } = await file.source.ends();
          await moveAll(file.source, await postgresTarget(connection, postgres, epoch), how);
        } else await moveAll(await postgresSource(connection, postgres), file.target, how);
      } finally {
        file.close();
      }
    } finally {
      await connection.end();
    }
  } finally {
    directory.close();
  }
}
