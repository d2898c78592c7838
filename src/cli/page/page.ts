// nexusctl page: the operator's page in a browser, served by this process on 127.0.0.1.

import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../core/clock.ts";
import { parseDuration } from "../../core/duration.ts";
import { loadAssets, NoPage } from "../../page/assets.ts";
import { startPage } from "../../page/server.ts";
import { duration, wholeNumber } from "../arguments.ts";
import type { Act, CliContext } from "../context.ts";
import { Failed } from "../problem.ts";
import { openBrowser } from "./open-browser.ts";

interface Options {
  port?: number;
  open?: true;
  idle: string;
}

const NOTES = `
Prints a link that opens the page in one browser, once. The page listens on 127.0.0.1 only, speaks to the daemon through
operator.sock as the user who runs this, and ends with Ctrl-C, or when no browser has had it open for --idle.
From another machine: ssh -L 8700:127.0.0.1:8700 HOST nexusctl page --port 8700, with the same port on both sides.
With --json, or where stdout is no terminal: {"link", "port", "idleMs"} on one line, once it listens.`;

export function addPage(program: Command, act: Act): void {
  program
    .command("page")
    .description("serve the operator's page to a browser on this machine")
    .option("--port <number>", "listen on this port of 127.0.0.1 (default: any free one)", portNumber)
    .option("--open", "open it in the browser of this machine")
    .option("--idle <duration>", "end when no browser has had it open for this long", duration, "30m")
    .addHelpText("after", NOTES)
    .action(act(page));
}

async function page({ sockets, transport, output, io }: CliContext, options: Options): Promise<void> {
  // Check now that the operators' socket works, not at the first approval.
  await transport.call("GET", "/v1/audit?limit=1", { role: "operator", signal: io.signal });
  const { port = 0, idle, open } = options;
  const idleMs = parseDuration(idle) ?? 0;
  const socketPath = await sockets.path("operator");
  const assets = await loadAssets().catch(asFailed);
  const served = await startPage({
    ...{ port, socketPath, assets, idleMs, clock: systemClock, signal: io.signal },
  }).catch((error) => cannotListen(error, port));
  if (output.isHuman) {
    await output.text("Open this in your browser. The link works once:");
    await output.line(`\n  ${served.link}\n`);
    output.note(`ends with Ctrl-C, or when no browser has had the page open for ${idle}`);
  } else await output.json(JSON.stringify({ link: served.link, port: served.port, idleMs }));
  const forget = open && openBrowser(served.link, io.env, output.note);
  if (forget) void Promise.race([served.opened, served.ended]).then(forget);
  if ((await served.ended) === "idle") output.note(`ended: no browser has had the page open for ${idle}`);
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError("It must be 0 to 65535.");
  return port;
}

function asFailed(error: unknown): never {
  if (!(error instanceof NoPage)) throw error;
  throw new Failed({ title: "No page", detail: error.message, code: "page_not_built" }, { cause: error });
}

function cannotListen(error: unknown, port: number): never {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const why =
    code === "EADDRINUSE"
      ? "something else listens there. Choose another --port, or none"
      : code === "EACCES"
        ? "this user may not. Choose a port from 1024 on, or none"
        : String(error);
  const detail = `The page cannot listen on port ${port} of 127.0.0.1: ${why}.`;
  throw new Failed({ title: "Cannot listen", detail, code: "cannot_listen" }, { cause: error });
}
