// nexusctl import nexus-sh: imports the sessions of the shell client into the daemon.

import { homedir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { ImportedSession, ImportResult } from "../../../contract/api/import.ts";
import { short } from "../../../core/redaction.ts";
import type { Act, CliContext } from "../../context.ts";
import { Failed, Reported } from "../../problem.ts";

/** Well below the limits of a request: 1 MiB and 1000 sessions. */
const BATCH = 200;

/** The outcome of one session, for the report. */
interface Line {
  sessionId: string;
  alias: string | null;
  outcome: "imported" | "known" | "skipped" | "nothing";
  notes: string[];
}

const NOTES = `
Imports sessions, keys, cursors, aliases and servers. The files of nexus.sh are only read, and sessions that nexusd
already knows stay as they are: it can be run again. Stop the loops and cron jobs of nexus.sh afterwards: nexusd polls.`;

export function addImport(program: Command, act: Act): void {
  const imports = program.command("import").description("import the sessions of another client (operator)");
  imports
    .command("nexus-sh")
    .description("import the sessions of nexus.sh (operator)")
    .option("--dir <directory>", "the directory of its state; default: ~/.config/messaging")
    .addHelpText("after", NOTES)
    .action(act(importNexusSh));
}

async function importNexusSh(context: CliContext, options: { dir?: string }): Promise<void> {
  const { io, output } = context;
  const directory = options.dir ?? join(io.env.HOME || homedir(), ".config", "messaging");
  const { sessions, notes } = await read(directory);
  const found = sessions.filter((session) => session.kind === "found");
  const results = await take(
    context,
    found.map(({ session }) => session),
  );
  const lines = sessions.map((one): Line => {
    if (one.kind !== "found")
      return { sessionId: one.sessionId, alias: null, outcome: one.kind, notes: [one.reason] };
    const { sessionId } = one.session;
    const result = results.get(sessionId);
    // If nexusd knows the session already, problems with its files no longer matter.
    const told = result?.outcome === "imported" ? one.notes : [];
    return {
      sessionId,
      alias: result?.alias ?? null,
      outcome: result?.outcome ?? "skipped",
      notes: [...told, ...(result?.note ? [result.note] : [])],
    };
  });
  await report(context, directory, lines, notes);
  if (lines.some(({ outcome }) => outcome === "skipped"))
    throw new Reported("not every session was imported");
  const isNews = lines.some(({ outcome }) => outcome === "imported");
  if (output.isHuman && isNews)
    output.note("nexusd polls them now: stop the loops and cron jobs of nexus.sh");
}

async function read(directory: string) {
  const { readNexusSh } = await import("./nexus-sh-state.ts");
  try {
    return readNexusSh(directory);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Failed(
      {
        title: "Nothing to import",
        detail: `There is no state of nexus.sh in ${directory} (${why}). Name its directory with --dir DIRECTORY.`,
        code: "nothing_to_import",
      },
      { cause },
    );
  }
}

/** Keys go in the body, over the operators' socket: never in an argument, where other users could see them. */
async function take(
  { client, io }: CliContext,
  sessions: ImportedSession[],
): Promise<Map<string, ImportResult>> {
  const results = new Map<string, ImportResult>();
  for (let from = 0; from < sessions.length; from += BATCH) {
    const batch = sessions.slice(from, from + BATCH);
    const answer = await client.importSessions(batch, { signal: io.signal });
    for (const result of answer.sessions) results.set(result.sessionId, result);
  }
  return results;
}

async function report(
  { output }: CliContext,
  directory: string,
  sessions: Line[],
  notes: string[],
): Promise<void> {
  if (!output.isHuman) return await output.json(JSON.stringify({ directory, sessions, notes }));
  for (const note of notes) output.note(note);
  if (sessions.length === 0) return output.note(`there is no session in ${directory}`);
  const words = { imported: "taken over", known: "known", skipped: "skipped", nothing: "nothing to take" };
  for (const { sessionId, alias, outcome, notes } of sessions)
    await output.text([alias ?? short(sessionId), words[outcome], ...notes].join(": "));
}
