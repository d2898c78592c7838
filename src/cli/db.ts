// nexusctl db: the database file itself, read without the daemon's help and without changing it.

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import type { Command } from "commander";
import { checkDatabase, exportDatabase } from "../store/sqlite/inspect.ts";
import { signedDifferences } from "../writes/signed-record.ts";
import type { Act, CliContext } from "./context.ts";
import { findDataDir } from "./data-dir.ts";
import { writeNewFile } from "./new-file.ts";
import { Reported } from "./problem.ts";
import { storeFailure } from "./store-failure.ts";
import { ofState } from "./terminal/colour.ts";

interface Options {
  dataDir?: string;
}

const pathOf = ({ options, io }: CliContext, { dataDir }: Options) =>
  join(findDataDir(dataDir, options.config, io.env), "nexusd.db");

export function addDb(program: Command, act: Act): void {
  const db = program
    .command("db")
    .description(
      "check or export the database file, with or without a daemon; run as the owner of the data directory",
    );

  db.command("check")
    .description("check integrity, foreign keys, sequences and the audit chain; exit 1 if anything is wrong")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async (context, options: Options) => {
        const path = pathOf(context, options);
        const { output } = context;
        const findings = await checkDatabase(path, signedDifferences).catch(storeFailure);
        if (output.isHuman)
          for (const { check, ok, detail } of findings)
            await output.text([ofState(ok ? "ok" : "fail"), `${ok ? "  " : ""}  ${check}: ${detail}`]);
        else await output.json(JSON.stringify({ path, findings }));
        if (findings.every(({ ok }) => ok)) return;
        output.note("replace it with a backup while the daemon is stopped: nexusctl restore FILE");
        throw new Reported("something is wrong");
      }),
    );

  db.command("export")
    .description("print every event, write and audit row, one JSON document per line")
    .argument("[file]", "must not exist; default: stdout")
    .option("--data-dir <directory>", "default: [daemon] data_dir of the configuration")
    .action(
      act(async (context, file: string | undefined, options: Options) => {
        const path = pathOf(context, options);
        const { output, io } = context;
        if (file === undefined) return await exportDatabase(path, output.json).catch(storeFailure);
        const written = await writeNewFile(file, async (part) => {
          const sink = createWriteStream(part, { flags: "wx", mode: 0o600 });
          const done = finished(sink);
          // Awaited below; a failure before that must not be one that nobody hears of.
          done.catch(() => {});
          const take = async (line: string) => {
            io.signal.throwIfAborted();
            if (!sink.write(`${line}\n`)) await Promise.race([once(sink, "drain"), done]);
          };
          await exportDatabase(path, take).catch(storeFailure);
          sink.end();
          await done;
        });
        if (output.isHuman) output.note(`${written}: written`);
        else await output.json(JSON.stringify({ file: written }));
      }),
    );
}
