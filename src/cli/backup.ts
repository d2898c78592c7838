// nexusctl backup and restore: copies the database into one file, and puts it back.

import { createWriteStream, existsSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import Database from "better-sqlite3";
import type { Command } from "commander";
import { systemClock } from "../core/clock.ts";
import { restoreDatabase } from "../store/sqlite/restore.ts";
import type { Act } from "./context.ts";
import { findDirectory } from "./database.ts";
import { writeNewFile } from "./new-file.ts";
import { Failed } from "./problem.ts";
import { storeFailure } from "./store-failure.ts";

export function addBackup(program: Command, act: Act): void {
  program
    .command("backup")
    .description("write a consistent copy of the daemon's database while it runs (operator)")
    .argument("<file>", "must not exist yet; it will contain every secret that the daemon keeps")
    .action(
      act(async ({ client, output, io }, file: string) => {
        const path = await writeNewFile(file, async (part) => {
          await pipeline(
            await client.backup({ signal: io.signal }),
            createWriteStream(part, { flags: "wx", mode: 0o600 }),
            {
              signal: io.signal,
            },
          );
          verify(part);
        });
        if (output.isHuman) output.note(`${path}: written and checked`);
        else await output.json(JSON.stringify({ file: path }));
      }),
    );
}

export function addRestore(program: Command, act: Act): void {
  program
    .command("restore")
    .description("replace the database with a backup; the daemon must be stopped")
    .argument("<file>", "a file written by nexusctl backup")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async ({ output, io, options }, file: string, { dataDir }: { dataDir?: string }) => {
        if (!existsSync(file))
          throw new Failed({
            title: "Not restored",
            detail: `There is no ${file}. Nothing was changed.`,
            code: "no_such_file",
          });
        const directory = findDirectory(dataDir, options.config, io.env);
        const restored = await restoreDatabase(file, directory, systemClock).catch(storeFailure);
        if (!output.isHuman) return await output.json(JSON.stringify(restored));
        const { path, keptAside, epoch, doubtfulWrites } = restored;
        output.note(`${path}: restored; its epoch is now ${epoch}`);
        if (keptAside !== null) output.note(`the previous database is now ${keptAside}`);
        if (doubtfulWrites.length > 0)
          output.note(
            `${doubtfulWrites.length} approved writes may have been executed since the backup, and are unknown now: nexusctl writes --state unknown`,
          );
      }),
    );
}

/** Makes it a single file without a log beside it, and reads all of it. @throws Failed */
function verify(path: string): void {
  const db = new Database(path, { fileMustExist: true });
  try {
    db.pragma("journal_mode = DELETE");
    const found = db.pragma("quick_check(1)", { simple: true });
    if (found !== "ok") throw damaged(String(found));
  } catch (error) {
    if (error instanceof Database.SqliteError) throw damaged(error.message);
    throw error;
  } finally {
    db.close();
  }
}

const damaged = (what: string) =>
  new Failed({
    title: "Damaged",
    detail: `The copy is damaged (${what}) and was not kept. Check the database with: nexusctl db check`,
    code: "backup_damaged",
  });
