// nexusctl skill install: installs the skill and the MCP server where a runtime looks for them.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { consumerName } from "../arguments.ts";
import type { Act, CliContext } from "../context.ts";
import { Failed, WrongUsage } from "../problem.ts";
import { packageRoot } from "../service/program.ts";
import { ask } from "../terminal/line-editor.ts";
import { diff } from "./diff.ts";
import { NoObject, setMember } from "./edit.ts";
import { type Chosen, type Target, targetsOf } from "./place.ts";
import { readText, replaceFile } from "./replace-file.ts";

interface Options extends Chosen {
  consumer?: string;
  yes?: true;
}

interface Change {
  path: string;
  before: string | undefined;
  after: string;
}

const NOTES = `
Puts SKILL.md, and the entry of the MCP server "nexusd" with the socket of this daemon, where the runtime looks for them:
  --openclaw     ~/.openclaw/skills/nexusd and ~/.openclaw/openclaw.json ($OPENCLAW_STATE_DIR, $OPENCLAW_CONFIG_PATH)
  --claude-code  ~/.claude/skills/nexusd and ~/.claude.json ($CLAUDE_CONFIG_DIR)
  --dir D        D/nexusd/SKILL.md and D/nexusd/mcp.json, for any other runtime
First it shows what it would change; at a terminal it asks, else --yes does it. Everything else in these files stays as it
is, comments included. Run again, it changes only what is not so already.`;

export function addSkill(program: Command, act: Act): void {
  const skill = program
    .command("skill")
    .description("install what an agent needs to know to work with nexusd");
  skill
    .command("install")
    .description("give a runtime the skill and the MCP server; shows first what it would change")
    .option("--openclaw", "OpenClaw")
    .option("--claude-code", "Claude Code")
    .option("--dir <directory>", "a directory of skills")
    .option(
      "--consumer <name>",
      'the consumer of the agent; default: "openclaw", "claude-code" or "agent"',
      consumerName,
    )
    .option("--yes", "do it without asking")
    .addHelpText("after", NOTES)
    .action(act(install));
}

async function install(context: CliContext, options: Options): Promise<void> {
  const { output, io, sockets } = context;
  const targets = targetsOf(options, io.env);
  if (targets.length === 0) throw new WrongUsage("Name a runtime: --openclaw, --claude-code or --dir D.");
  const socket = resolve(await sockets.path("agent"));
  const changes = targets.flatMap((target) => changesOf(target, socket, options.consumer));
  const report = async (done: boolean) => {
    if (output.isHuman) return;
    const shown = changes.map(({ path, before, after }) => ({ path, diff: diff(path, before, after) }));
    await output.json(JSON.stringify({ changes: shown, done }));
  };
  if (changes.length === 0) {
    output.note("nothing to do: everything is in place");
    return await report(true);
  }
  if (!(await isWanted(context, options, changes))) {
    output.note("nothing was changed; --yes does it");
    return await report(false);
  }
  for (const { path, before, after } of changes) replaceFile(path, before, after);
  for (const { path } of changes) output.note(`written: ${path}`);
  for (const { next } of targets) output.note(next);
  await report(true);
}

/** Shows the changes to a person, and asks. */
async function isWanted(
  { output, io }: CliContext,
  { yes }: Options,
  changes: readonly Change[],
): Promise<boolean> {
  if (yes) return true;
  if (!output.isHuman) return false;
  for (const { path, before, after } of changes)
    for (const line of diff(path, before, after)) await output.text(line);
  if (!io.tty) return false;
  return /^\s*y(es)?\s*$/i.test((await ask(io.tty, "Do this? [y/N] ", io.signal)) ?? "");
}

/** The necessary changes. @throws Failed if a configuration cannot be parsed */
function changesOf(target: Target, socket: string, consumer = target.consumer): Change[] {
  const skill = join(target.skills, "nexusd", "SKILL.md");
  const wanted = readFileSync(join(packageRoot(), "docs/skills/nexusd/SKILL.md"), "utf8");
  const config = readText(target.config);
  // Only these two: other members of the entry, such as an environment, are the user's.
  const entry = [...target.servers, "nexusd"];
  const args = ["--socket", socket, "mcp", "--consumer", consumer];
  let text = config ?? "";
  try {
    text = setMember(text, [...entry, "command"], command());
    text = setMember(text, [...entry, "args"], args);
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof NoObject)) throw cause;
    const why = cause instanceof NoObject ? `${cause.message} is not an object there` : cause.message;
    throw new Failed(
      {
        ...{ title: "Not a configuration", code: "invalid_config" },
        detail: `${target.config} cannot be changed: ${why}. Nothing was changed.`,
      },
      { cause },
    );
  }
  return [
    { path: skill, before: readText(skill), after: wanted },
    { path: target.config, before: config, after: text },
  ].filter(({ before, after }) => before !== after);
}

/** The absolute path, since runtimes have their own PATH. */
function command(): string {
  const path = join(packageRoot(), "bin", "nexusctl");
  if (existsSync(path)) return path;
  throw new Failed({
    ...{ title: "Not complete", code: "not_complete" },
    detail: `This nexusd is not complete: there is no ${path}.`,
  });
}
