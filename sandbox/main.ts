/** `npm run sandbox`: the three stand-ins only. Prints a JSON line on stdout once they answer; runs until a signal. */

import { readArgs, SANDBOX_ENV, type SandboxArgs, usage } from "./args.ts";
import { type Sandbox, startSandbox } from "./servers.ts";

let sandbox: Sandbox | undefined;
let isStopping = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, async () => {
    isStopping = true;
    await sandbox?.close();
    process.exit(0);
  });
}

let args: SandboxArgs;
try {
  args = readArgs(process.argv.slice(2));
} catch (error) {
  fail(2, `${messageOf(error)}\n${usage}`);
}
try {
  sandbox = await startSandbox(args);
  await sandbox.nexus.ready;
} catch (error) {
  await sandbox?.close();
  // A signal during startup is not a failure.
  if (isStopping) process.exit(0);
  fail(1, messageOf(error));
}
const { messaging, nex, nexus } = sandbox;
console.log(JSON.stringify({ messaging: messaging.url, nex: nex.url, nexus: nexus.url, env: SANDBOX_ENV }));
console.error("sandbox: running; Ctrl-C stops it");

function fail(code: number, message: string): never {
  console.error(`sandbox: ${message}`);
  process.exit(code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
