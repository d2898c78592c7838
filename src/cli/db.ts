// nexusctl db: reads the database directly, without the daemon and without changing it.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { type Command, Option } from "commander";
import { checkDatabase, exportDatabase } from "../store/sqlite/inspect.ts";
import { furtherDifferences } from "../writes/remake.ts";
import type { Act, CliContext } from "./context.ts";
import { findDataDir } from "./data-dir.ts";
import { type DatabaseChoice, findDatabase } from "./database.ts";
import { writeNewFile } from "./new-file.ts";
import { Reported, WrongUsage } from "./problem.ts";
import { storeFailure } from "./store-failure.ts";
import { ofState } from "./terminal/colour.ts";

interface Options {
  dataDir?: string;
}

const choose = ({ options, io }: CliContext, { dataDir }: Options) =>
  findDatabase(dataDir, options.config, io.env);

/** Its name in errors and answers: never with a password. */
const nameOf = (chosen: DatabaseChoice): string =>
  chosen.kind === "sqlite" ? chosen.path : chosen.target.place;

const check = async (chosen: DatabaseChoice) => {
  if (chosen.kind === "sqlite") return checkDatabase(chosen.path, furtherDifferences);
  const { checkPostgres } = await import("../store/postgres/inspect.ts");
  return checkPostgres(chosen.target, furtherDifferences);
};

const exportTo = async (chosen: DatabaseChoice, take: (line: string) => Promise<void>) => {
  if (chosen.kind === "sqlite") return exportDatabase(chosen.path, take);
  const { exportPostgres } = await import("../store/postgres/inspect.ts");
  return exportPostgres(chosen.target, take);
};

export function addDb(program: Command, act: Act): void {
  const db = program
    .command("db")
    .description(
      "check, export or move the database, with or without a daemon; run as the owner of the data directory",
    );

  db.command("check")
    .description("check integrity, foreign keys, sequences and the audit chain; exit 1 if anything is wrong")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async (context, options: Options) => {
        const chosen = choose(context, options);
        const { output } = context;
        const findings = await check(chosen).catch(storeFailure);
        if (output.isHuman)
          for (const { check, ok, detail } of findings)
            await output.text([ofState(ok ? "ok" : "fail"), `${ok ? "  " : ""}  ${check}: ${detail}`]);
        else await output.json(JSON.stringify({ path: nameOf(chosen), findings }));
        if (findings.every(({ ok }) => ok)) return;
        const how = chosen.kind === "sqlite" ? "nexusctl restore FILE" : "pg_restore (docs/fleet.md)";
        output.note(`replace it with a backup while the daemon is stopped: ${how}`);
        throw new Reported("something is wrong");
      }),
    );

  db.command("export")
    .description("print every event, write and audit row, one JSON document per line")
    .argument("[file]", "must not exist; default: stdout")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async (context, file: string | undefined, options: Options) => {
        const chosen = choose(context, options);
        const { output, io } = context;
        if (file === undefined) return await exportTo(chosen, output.json).catch(storeFailure);
        const written = await writeNewFile(file, async (part) => {
          const sink = createWriteStream(part, { flags: "wx", mode: 0o600 });
          const done = finished(sink);
          // Awaited below; an earlier failure must not become an unhandled rejection.
          done.catch(() => {});
          const take = async (line: string) => {
            io.signal.throwIfAborted();
            if (!sink.write(`${line}\n`)) await Promise.race([once(sink, "drain"), done]);
          };
          await exportTo(chosen, take).catch(storeFailure);
          sink.end();
          await done;
        });
        if (output.isHuman) output.note(`${written}: written`);
        else await output.json(JSON.stringify({ file: written }));
      }),
    );
  db.command("move")
    .description(
      "move the log from SQLite's file to the PostgreSQL of the configuration, or back; the daemon must be stopped, and what was moved stays where it was",
    )
    .addOption(new Option("--to <database>").choices(["postgres", "sqlite"]).makeOptionMandatory())
    .option("--data-dir <directory>", "of SQLite's file; default: [daemon] data_dir of the configuration")
    .action(
      act(async ({ output, io, options }, { dataDir, to }: Options & { to: "postgres" | "sqlite" }) => {
        const chosen = findDatabase(undefined, options.config, io.env);
        if (chosen.kind !== "postgres")
          throw new WrongUsage(
            'the configuration must have [store] kind = "postgres", with its url and its key',
          );
        const { moveDatabase } = await import("../store/move/move.ts");
        const moved: Record<string, number> = {};
        await moveDatabase({
          ...{ to, postgres: chosen.target, signal: io.signal },
          dataDir: findDataDir(dataDir, options.config, io.env),
          onTable: (name, rows) => {
            moved[name] = rows;
            if (output.isHuman) output.note(`${name}: ${rows} ${rows === 1 ? "row" : "rows"}`);
          },
        }).catch(storeFailure);
        if (!output.isHuman) return await output.json(JSON.stringify({ to, moved }));
        output.note(
          to === "postgres"
            ? "moved; start the daemon, and keep nexusd.db away from it"
            : 'moved; set [store] kind = "sqlite" and start the daemon',
        );
      }),
    );
}
