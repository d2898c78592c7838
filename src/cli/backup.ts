// nexusctl backup and restore: the database in one file, and back in its place.

import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, linkSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import Database from "better-sqlite3";
import type { Command } from "commander";
import { systemClock } from "../scheduler/clock.ts";
import { restoreDatabase } from "../store/restore.ts";
import { StoreError } from "../store/store.ts";
import type { Act } from "./context.ts";
import { findDataDir } from "./data-dir.ts";
import { Failed, WrongUsage } from "./problem.ts";

// The daemon copies everything before its first byte.
const SILENCE_MS = 10 * 60_000;

export function addBackup(program: Command, act: Act): void {
  program
    .command("backup")
    .description("write a consistent copy of the daemon's database while it runs (operator)")
    .argument("<file>", "must not exist; it will hold every secret that the daemon keeps")
    .action(
      act(async ({ client, output, io }, file: string) => {
        const path = resolve(file);
        if (existsSync(path)) throw alreadyThere(path);
        const part = `${path}.part-${randomBytes(4).toString("hex")}`;
        try {
          const answer = await client.stream("/v1/backup", {
            ...{ role: "operator", headers: {}, signal: io.signal, silenceMs: SILENCE_MS },
          });
          const sink = createWriteStream(part, { flags: "wx", mode: 0o600 });
          await pipeline(answer, sink, { signal: io.signal });
          verify(part);
          await sync(part);
          // Unlike a rename this never replaces what has come there meanwhile.
          linkSync(part, path);
        } catch (error) {
          throw asFailed(error, path);
        } finally {
          rmSync(part, { force: true });
        }
        await sync(dirname(path));
        if (output.isHuman) output.note(`${path}: written and checked`);
        else await output.json(JSON.stringify({ file: path }));
      }),
    );
}

export function addRestore(program: Command, act: Act): void {
  program
    .command("restore")
    .description("put a backup in the place of the database; the daemon must be stopped")
    .argument("<file>", "written by nexusctl backup")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async ({ output, io, options }, file: string, { dataDir }: { dataDir?: string }) => {
        if (!existsSync(file)) throw new WrongUsage(`${file} does not exist`);
        const directory = findDataDir(dataDir, options.config, io.env);
        const restored = await restoreDatabase(file, directory, systemClock).catch((error: unknown) => {
          throw asFailed(error, file);
        });
        if (!output.isHuman) return await output.json(JSON.stringify(restored));
        const { path, keptAside, epoch, doubtfulWrites } = restored;
        output.note(`${path}: restored; its epoch is now ${epoch}`);
        if (keptAside !== null) output.note(`what was there is in ${keptAside}`);
        if (doubtfulWrites.length > 0)
          output.note(
            `${doubtfulWrites.length} writes that were approved may have been done since, and are unknown now: nexusctl writes --state unknown`,
          );
      }),
    );
}

/** Makes it one file without a log beside it, and reads all of it. @throws Failed */
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

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const alreadyThere = (path: string) =>
  new Failed({
    title: "Already there",
    detail: `${path} exists, and is never overwritten. Name another file.`,
    code: "file_exists",
  });

const damaged = (what: string) =>
  new Failed({
    title: "Damaged",
    detail: `What arrived is damaged (${what}), and was not kept. Check the database with: nexusctl db check`,
    code: "backup_damaged",
  });

function asFailed(error: unknown, path: string): unknown {
  if (error instanceof StoreError) {
    const advice = error.code === "locked" ? " Stop the daemon first: systemctl stop nexusd" : "";
    const detail = `${error.message}.${advice}`;
    return new Failed({ title: "The database cannot be used", detail, code: error.code }, { cause: error });
  }
  if (!(error instanceof Error && "code" in error) || error instanceof Failed) return error;
  if (error.code === "EEXIST") return alreadyThere(path);
  const detail = `${path} cannot be written: ${error.message}`;
  return new Failed({ title: "Not written", detail, code: "not_written" }, { cause: error });
}
