// The whole nexusctl: for running from source, and for the commands that are not light.

import { plainStart } from "./mcp-plain.ts";
import { runProcess, serveProcess } from "./process.ts";

const plain = plainStart(process.argv.slice(2));
if (plain) {
  const { startPlain } = await import("./mcp-start.ts");
  await serveProcess((signal) => startPlain(plain, process.env, signal));
}
const { run } = await import("./run.ts");
await runProcess(run);
