// nexusctl doctor: checks everything that nexusd needs, with a remedy for each problem.

import type { Command } from "commander";
import { NexusdError } from "../../client/error.ts";
import type { Inspection } from "../../config/load.ts";
import type { StatusView } from "../../contract/api/status.ts";
import { glyphs } from "../../core/text/glyphs.ts";
import type { Act, CliContext } from "../context.ts";
import { placeOf } from "../places.ts";
import { NoDaemon, Reported } from "../problem.ts";
import { ofState } from "../terminal/colour.ts";

export interface Check {
  check: string;
  state: "ok" | "warn" | "fail";
  detail: string;
  /** What to do, if anything. */
  remedy: string | null;
}

export const ok = (check: string, detail: string): Check => ({ check, state: "ok", detail, remedy: null });
export const warn = (check: string, detail: string, remedy: string | null = null): Check => ({
  check,
  state: "warn",
  detail,
  remedy,
});
export const fail = (check: string, detail: string, remedy: string): Check => ({
  check,
  state: "fail",
  detail,
  remedy,
});

export function addDoctor(program: Command, act: Act): void {
  program
    .command("doctor")
    .description(
      "check config, sockets, unit, database, permissions, jobs, sinks, nodes, clock and services; exit 1 if anything fails",
    )
    .action(
      act(async (context) => {
        const { output } = context;
        const checks = await examine(context);
        if (output.isHuman)
          for (const { check, state, detail, remedy } of checks) {
            await output.text([ofState(state), `${"".padEnd(4 - state.length)}  ${check}: ${detail}`]);
            if (remedy) await output.text(`      ${glyphs.remedy} ${remedy}`);
          }
        else await output.json(JSON.stringify(checks));
        if (checks.some(({ state }) => state === "fail")) throw new Reported("something fails");
      }),
    );
}

async function examine(context: CliContext): Promise<Check[]> {
  const { io, options } = context;
  const daemon = await examineDaemon(context);
  // Loaded only here: no other command needs the database, undici and the schemas.
  const [config, local, files, unit, services, jobs, sinks, nodes, signatures] = await Promise.all([
    import("./config.ts"),
    import("./local.ts"),
    import("./files.ts"),
    import("./unit.ts"),
    import("./services.ts"),
    import("./jobs.ts"),
    import("./sinks.ts"),
    import("./nodes.ts"),
    import("./signatures.ts"),
  ]);

  const { checks, path, inspection } = config.examineConfig(options.config, io.env, daemon.status?.services);
  const found: Inspection["config"] = inspection?.config;
  const dataDir = found ? placeOf(found.daemon.data_dir, path).path : "";
  const isPostgres = found?.store.kind === "postgres";
  const database = !found
    ? []
    : isPostgres
      ? await (await import("./postgres.ts")).examinePostgres(options.config, io.env)
      : local.examineDatabase(dataDir, daemon.status !== undefined);
  const isSound = database.every(({ state }) => state === "ok");
  return [
    ...checks,
    ...(found ? signatures.examineSignatures(found.approvals, path) : []),
    ...(await local.examineSockets(context.sockets)),
    daemon.check,
    ...(await unit.examineUnit(daemon.status !== undefined, unit.systemd)),
    ...database,
    ...(found && isSound && !isPostgres ? await files.examineAudit(dataDir) : []),
    ...(found ? files.examinePermissions(dataDir) : []),
    ...(daemon.status
      ? jobs.examineJobs(daemon.status.jobs)
      : await jobs.examineJobFiles(inspection?.jobsDirectory)),
    ...(daemon.status ? sinks.examineSinks(daemon.status.sinks ?? []) : []),
    ...(daemon.status ? nodes.examineNodes(daemon.status) : []),
    ...(found ? await sinks.examineTargets(found.sinks) : []),
    ...(found
      ? await services.examineServices({
          config: found,
          secrets: inspection?.secrets ?? {},
          reported: daemon.status?.services,
          signal: io.signal,
        })
      : []),
  ];
}

/** Whether one is running, and what it reports about itself. */
async function examineDaemon({
  client,
  io,
}: CliContext): Promise<{ check: Check; status: StatusView | undefined }> {
  try {
    const status = await client.status({ signal: io.signal });
    const { state = "ok", lastError } = status.store ?? {};
    const detail = `nexusd ${status.version} answers, pid ${status.pid}`;
    if (state === "ok") return { check: ok("daemon", detail), status };
    return {
      check: fail(
        "daemon",
        `${detail}, but its database accepts no commits: ${lastError?.message ?? state}`,
        "Free disk space, or do as the message says; the daemon then continues automatically.",
      ),
      status,
    };
  } catch (error) {
    if (!(error instanceof NexusdError)) throw error;
    const check =
      error instanceof NoDaemon
        ? fail("daemon", error.fact, `Start it with: ${error.startWith}`)
        : fail("daemon", error.problem.detail, remedyOf(error));
    return { check, status: undefined };
  }
}

function remedyOf({ problem: { code } }: NexusdError): string {
  switch (code) {
    case "socket_forbidden":
      return "Run doctor as a user who may connect, or join the group of the socket.";
    case "not_a_socket":
    case "invalid_config":
      return "Name the daemon's socket with --socket PATH, or fix its configuration.";
    default:
      return "Read the daemon's log, and restart it if it does not answer.";
  }
}
