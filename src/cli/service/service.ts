// nexusctl service: installs nexusd as a systemd service, and uninstalls it.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { scriptFor } from "../completion/shells.ts";
import type { Act, CliContext } from "../context.ts";
import { Failed } from "../problem.ts";
import { ask } from "../terminal/line-editor.ts";
import { execute, run } from "./execute.ts";
import {
  CONFIG,
  described,
  type Facts,
  installation,
  linkPaths,
  PROGRAM,
  PURGED,
  removal,
  type ServiceFacts,
  type Step,
  UNIT_DIRECTORY,
  UNITS,
  wanted,
  written,
} from "./plan.ts";
import { type Program, packageRoot, programIn } from "./program.ts";
import {
  enabledUnits,
  isDone,
  isIntoProgram,
  isOurs,
  NEW,
  OLD,
  SIGN,
  unitFacts,
  userIds,
  writtenAt,
} from "./state.ts";

interface Options {
  yes?: true;
  root: string;
  purge?: true;
}

const OLDEST_SYSTEMD = 252;

const NOTES = `
Copies the program to ${PROGRAM}, with everything it needs, so that a later "git pull" or a removed home
directory does not change what runs. To upgrade, run it again from the newer copy.
An existing configuration is never overwritten.`;

export function addService(program: Command, act: Act): void {
  const service = program
    .command("service")
    .description("install or uninstall nexusd as a systemd service (root)");
  service
    .command("install")
    .description("install this nexusd and start it; first shows what it would do")
    .option("--yes", "do not ask")
    .option("--root <directory>", "install below this directory, and start nothing", "/")
    .addHelpText("after", NOTES)
    .action(act(install));
  service
    .command("uninstall")
    .description("stop and remove it; data, configuration and secrets stay")
    .option("--purge", "remove those, too")
    .option("--yes", "do not ask")
    .option("--root <directory>", "uninstall below this directory", "/")
    .action(act(uninstall));
}

async function install(context: CliContext, options: Options): Promise<void> {
  const root = resolve(options.root);
  await checkSystem(root);
  const program = readProgram();
  const { files, config, links } = wanted({
    unit: (name) => readFileSync(join(packageRoot(), "systemd", name), "utf8"),
    completion: scriptFor,
    home: join(PROGRAM, program.home),
    node: resolve(PROGRAM, program.node),
  });
  const bytes = program.files.reduce((sum, { size }) => sum + size, 0);
  const all: Step[] = [
    { do: "copy", to: PROGRAM, from: program.from, files: program.files.length, bytes },
    ...files,
    ...links,
  ];
  const facts: Facts = {
    pending: all.filter((step) => !isDone(step, root, program)),
    hasUser: (await userIds(root, run)) !== undefined,
    hasConfig: existsSync(join(root, CONFIG)),
    root,
    ...(await serviceFacts(root)),
  };
  const steps = installation(facts, config);
  if (await carryOut(context, options, { steps, root, program }))
    context.output.note(
      root === "/"
        ? `nexusd runs. Configure it in ${CONFIG}, then: systemctl reload nexusd. Give a user access with: usermod -aG nexusd-agents NAME`
        : `nexusd is in ${root}, and starts with that system.`,
    );
}

async function serviceFacts(
  root: string,
): Promise<{ areEnabled: boolean; service: ServiceFacts | undefined }> {
  if (root !== "/")
    return { areEnabled: UNITS.every((name) => enabledUnits(root).includes(name)), service: undefined };
  const facts = await unitFacts(run);
  const started = Number(facts.at(-1)?.get("ExecMainStartTimestamp")?.slice(1) || 0);
  return {
    areEnabled: facts.every((unit) => unit.get("UnitFileState") === "enabled"),
    service: {
      needsReload: facts.some(
        (unit) => unit.get("NeedDaemonReload") === "yes" || unit.get("LoadState") === "not-found",
      ),
      isActive: facts.every((unit) => unit.get("ActiveState") === "active"),
      isStale: started < writtenAt(root),
    },
  };
}

async function uninstall(context: CliContext, options: Options): Promise<void> {
  const root = resolve(options.root);
  await checkSystem(root);
  const at = (path: string) => join(root, path);
  const present = [
    ...written().filter((path) => isOurs(at(path))),
    ...linkPaths().filter((path) => isIntoProgram(root, path)),
    ...(existsSync(join(at(PROGRAM), SIGN)) ? [PROGRAM] : []),
    ...[NEW, OLD].filter((path) => existsSync(at(path))),
    ...(options.purge ? PURGED.filter((path) => existsSync(at(path))) : []),
  ];
  const isUnitOurs = present.includes(join(UNIT_DIRECTORY, "nexusd.service"));
  const units = isUnitOurs ? [...new Set([...enabledUnits(root), ...UNITS])] : [];
  const steps = removal({ present, units, root, isRunning: root === "/" });
  if (await carryOut(context, options, { steps, root, program: undefined }))
    context.output.note(
      options.purge
        ? "the user nexusd and its groups stay, so that nobody else gets their ids"
        : `data (/var/lib/nexusd), configuration (${CONFIG}) and secrets (/etc/credstore) stay; --purge removes them`,
    );
}

function readProgram(): Program {
  try {
    return programIn();
  } catch (cause) {
    const detail = `This nexusd is not complete: ${cause instanceof Error ? cause.message : cause}`;
    throw new Failed({ title: "Not complete", detail, code: "not_complete" }, { cause });
  }
}

/** Shows the steps, and carries them out if confirmed. @returns whether it did */
async function carryOut(
  { io, output }: CliContext,
  { yes }: Options,
  { steps, root, program }: { steps: Step[]; root: string; program: Program | undefined },
): Promise<boolean> {
  const report = async (done: boolean) => {
    if (!output.isHuman) await output.json(JSON.stringify({ steps: steps.map(shown), done }));
  };
  if (steps.length === 0) {
    output.note("nothing to do");
    await report(true);
    return false;
  }
  const isRoot = process.geteuid?.() === 0;
  if (yes && !isRoot)
    throw new Failed({
      title: "Not root",
      detail: "Only root may do this. Run it with sudo.",
      code: "not_root",
    });
  if (!yes) {
    if (output.isHuman) for (const step of steps) await output.text(described(step));
    const tty = output.isHuman && isRoot ? io.tty : undefined;
    const answer = tty && (await ask(tty, "Do this? [y/N] ", io.signal));
    if (!/^\s*y(es)?\s*$/i.test(answer ?? "")) {
      const how = isRoot ? "--yes does it" : "run it as root with --yes";
      output.note(`nothing was changed; ${how}`);
      await report(false);
      return false;
    }
  }
  await execute(steps, { root, program, run, onStep: (step) => output.note(described(step)) });
  await report(true);
  return true;
}

/** A step as JSON, without the content of files. */
function shown(step: Step): unknown {
  if (step.do !== "write") return step;
  const { path, mode, owner } = step;
  return { do: "write", path, mode: mode.toString(8).padStart(4, "0"), owner };
}

/** @throws Failed if nexusd cannot, or must not, be installed by this command */
async function checkSystem(root: string): Promise<void> {
  if (["/usr/lib", "/lib"].some((place) => existsSync(join(root, place, "systemd/system/nexusd.service"))))
    throw new Failed({
      title: "Installed as a package",
      detail:
        "nexusd was installed as a package of the system. Update it with the package manager, or remove it first: sudo apt remove nexusd",
      code: "package_installed",
    });
  if (root !== "/") {
    if (existsSync(root)) return;
    throw new Failed({ title: "No such directory", detail: `${root} does not exist.`, code: "no_root" });
  }
  if (!existsSync("/run/systemd/system"))
    throw new Failed({
      title: "No systemd",
      detail:
        "This system does not run systemd. Have its own service manager start bin/nexusd --config FILE, or name the root directory of a system with systemd: --root DIRECTORY.",
      code: "no_systemd",
    });
  const version = Number(/^systemd (\d+)/.exec(await run(["systemctl", "--version"]))?.[1]);
  if (!(version >= OLDEST_SYSTEMD))
    throw new Failed({
      title: "systemd is too old",
      detail: `The units need systemd ${OLDEST_SYSTEMD} or newer; this one is ${version || "unknown"}.`,
      code: "old_systemd",
    });
}
