/** `npm start`: the stand-ins with some activity, and the daemon on `config/sandbox.toml` watching them. */

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { readArgs, SANDBOX_ENV, SANDBOX_PORTS } from "./args.ts";
import { findPostgrest, noPostgrest } from "./postgrest-program.ts";
import { startConfig } from "./start-config.ts";

/** The daemon promises to stop within 5 s. */
const patienceMs = 8000;

const { startSandbox } = await import("./servers.ts").catch((error: NodeJS.ErrnoException) => {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  console.error('sandbox: its dependencies are not installed: run "npm ci" first');
  process.exit(1);
});

function fail(error: Error): never {
  console.error(`sandbox: ${error.message}`);
  process.exit(1);
}

function readPorts() {
  try {
    return readArgs(process.argv.slice(2), SANDBOX_PORTS);
  } catch (error) {
    return fail(error instanceof Error ? error : new Error(String(error)));
  }
}

let isStopping = false;
const sandbox = await startSandbox(readPorts()).catch(fail);
const hasNexus = findPostgrest() !== undefined;
sandbox.nexus.ready.catch((error: Error) => {
  if (hasNexus && !isStopping) console.error(`sandbox: Nexus did not start: ${error.message}`);
});
const config = startConfig({
  messaging: sandbox.messaging.url,
  nex: sandbox.nex.url,
  nexus: hasNexus ? sandbox.nexus.url : undefined,
});
process.once("exit", config.remove);

console.error(`nexusd sandbox: the daemon and local stand-ins for its three services; nothing leaves this machine.
  NexusMessaging ${sandbox.messaging.url}   Nex ${sandbox.nex.url}   Nexus ${hasNexus ? sandbox.nexus.url : `is left out: ${noPostgrest()}`}
Read what the daemon sees, in another terminal (Ctrl-C here stops everything):
  bin/nexusctl events --follow --config config/sandbox.toml
  curl --unix-socket data/sandbox/agent.sock http://localhost/v1/events
`);

// In a separate process group: Ctrl-C and hang-up of a terminal reach this program, which forwards them once, as a
// stop. For the daemon itself, a hang-up means reload.
const daemon = spawn("bin/nexusd", ["--config", config.path], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  env: { ...process.env, ...SANDBOX_ENV },
  stdio: "inherit",
  detached: true,
});

function stop(signal: "SIGINT" | "SIGTERM") {
  if (isStopping) return;
  isStopping = true;
  daemon.kill(signal);
  setTimeout(() => daemon.kill("SIGKILL"), patienceMs).unref();
}
process.on("SIGINT", () => stop("SIGINT"));
process.on("SIGTERM", () => stop("SIGTERM"));
process.on("SIGHUP", () => stop("SIGTERM"));

daemon.once("error", async (error) => {
  console.error(`sandbox: bin/nexusd does not start: ${error.message}`);
  await sandbox.close();
  process.exit(1);
});
daemon.once("exit", async (code, signal) => {
  isStopping = true;
  if (signal !== null) console.error(`sandbox: the daemon was ended by ${signal}; everything stops`);
  await sandbox.close();
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});
