// The command nexusd: arguments, configuration, signals and exit codes.

import { parseArgs } from "node:util";
import { ConfigError } from "../config/error.ts";
import { findConfig } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { allSecrets } from "../config/secrets.ts";
import { readVersion } from "../config/version.ts";
import { createRedactor } from "../core/redaction.ts";
import { takeInheritedSockets } from "../systemd/activation.ts";
import { isJournalStream } from "../systemd/journal.ts";
import { createNotifier } from "../systemd/notify.ts";
import { createLog } from "./log.ts";
import { fdDestination } from "./log-destination.ts";
import { giveBackMemory, keepCompiled } from "./memory.ts";
import { OPTIONS, USAGE } from "./usage.ts";

/** How long a shutdown may take; systemd and people both lose patience after it. */
const STOP_WITHIN_MS = 4800;

const STDERR = 2;

/** When the jobs have made their first steps. */
const GIVE_BACK_AFTER_MS = 2000;

async function main(argv: string[]): Promise<number | undefined> {
  const parsed = parseArguments(argv);
  if (typeof parsed === "string") {
    process.stderr.write(`nexusd: ${parsed}\n${USAGE}`);
    return 2;
  }
  const { values, command } = parsed;
  if (values.help) process.stdout.write(USAGE);
  else if (values.version) process.stdout.write(`${readVersion()}\n`);
  else if (command === "check") {
    const { runCheck } = await import("./check.ts");
    return await runCheck(values.config);
  } else return await run(values.config);
  return 0;
}

/** Before there is a logger: for the journal each line is marked as an error. */
function complain(text: string, env: NodeJS.ProcessEnv): void {
  const prefix = isJournalStream(env, 2) ? "<3>" : "";
  process.stderr.write(`nexusd: ${text}\n`.replace(/^(?=.)/gm, prefix));
}

function parseArguments(argv: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: OPTIONS,
    });
    const [command, ...rest] = positionals;
    const file = positionals.find((text) => text !== "check");
    if (file?.endsWith(".toml")) return `a configuration is named by an option: --config ${file}`;
    if (rest.length > 0 || (command !== undefined && command !== "check"))
      return `there is no command "${positionals.join(" ")}"`;
    return { values, command };
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    // Node.js goes on with advice for programmers; the option is all that is needed of it.
    const option = /'(-[^\s',=]*)/.exec(error.message)?.[1] ?? "this";
    if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `there is no option ${option}`;
    return option === "--config" ? "--config needs the name of a file" : `${option} takes no value`;
  }
}

/** Runs until a signal; undefined: the daemon is up and its handles keep the process alive. */
async function run(configOption: string | undefined): Promise<number | undefined> {
  const { env } = process;
  let path: string;
  let loaded: ReturnType<typeof loadConfig>;
  try {
    path = findConfig(configOption, env);
    loaded = loadConfig({ path, env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(error.message, env);
    return 1;
  }
  const { config, secrets, warnings } = loaded;
  const redactor = createRedactor();
  for (const secret of allSecrets(secrets)) redactor.add(secret.reveal());
  const stderr = fdDestination(STDERR);
  const log = await createLog({
    destination: stderr,
    level: config.daemon.log_level,
    format: config.daemon.log_format,
    env,
    redactor,
  });
  for (const { path: at, message } of warnings) log.warn({ path: at }, message);

  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "a defect in nexusd: it stops so that it can be restarted");
    process.exit(70);
  });
  // Signals during the start wait for its end.
  let onSignal: (signal: NodeJS.Signals) => void = () => {};
  const early: NodeJS.Signals[] = [];
  onSignal = (signal) => early.push(signal);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => onSignal(signal));

  const inherited = takeInheritedSockets(env, process.pid);
  const notifier = createNotifier({ env, pid: process.pid, log });
  const { startDaemon } = await import("./daemon.ts");
  const readConfig = () => loadConfig({ path, env });
  const version = readVersion();
  const onFatal = (error: Error) => {
    log.fatal(`nexusd cannot continue: ${error.message}`);
    process.exit(1);
  };
  let daemon: Awaited<ReturnType<typeof startDaemon>>;
  try {
    daemon = await startDaemon({
      ...{
        config,
        secrets,
        version,
        log,
        redactor,
        readConfig,
        onFatal,
        notifier,
        inherited,
        configPath: path,
      },
      droppedLogLines: () => stderr.dropped?.() ?? 0,
    });
  } catch (error) {
    log.fatal(error instanceof Error ? `nexusd cannot start: ${error.message}` : "nexusd cannot start");
    log.debug({ err: error }, "why nexusd cannot start");
    return 1;
  }

  // Garbage of the start, before the first pass over a large shop needs the room.
  giveBackMemory();

  let isStopping = false;
  onSignal = (signal) => {
    if (signal === "SIGHUP") {
      daemon.reload().catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        log.error(`the configuration was not reloaded and the old one stays: ${message}`);
      });
      return;
    }
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => {
      log.error("stopping took too long: what was left was aborted; the database is safe");
      process.exit(0);
    }, STOP_WITHIN_MS).unref();
    daemon.stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  for (const signal of early) onSignal(signal);
  setTimeout(() => {
    keepCompiled();
    giveBackMemory();
  }, GIVE_BACK_AFTER_MS).unref();
  return undefined;
}

const code = await main(process.argv.slice(2));
if (code !== undefined) process.exitCode = code;
