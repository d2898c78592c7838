// Opens the page in the local browser. Every user of the machine can read the arguments of a process, so the link is
// not among them: the browser gets a file that only this user can read, which redirects to the link.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const COMMAND = process.platform === "darwin" ? "open" : "xdg-open";

/** @returns a function that removes the file again */
export function openBrowser(
  link: string,
  env: NodeJS.ProcessEnv,
  onNote: (text: string) => void,
): () => void {
  const directory = mkdtempSync(join(env.XDG_RUNTIME_DIR || tmpdir(), "nexusd-page-"));
  const forget = () => rmSync(directory, { recursive: true, force: true });
  process.once("exit", forget);
  const file = join(directory, "open.html");
  writeFileSync(file, redirectTo(link), { mode: 0o600 });
  const browser = spawn(COMMAND, [pathToFileURL(file).href], { stdio: "ignore", detached: true, env });
  const failed = (why: string) => onNote(`${COMMAND} ${why}: open the link yourself`);
  browser.once("error", (error) => failed(`cannot be started (${error.message})`));
  browser.once("exit", (code) => {
    if (code !== 0 && code !== null) failed(`failed with code ${code}`);
  });
  browser.unref();
  return forget;
}

/** @param link without characters that are special in HTML */
const redirectTo = (link: string) => `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=${link}">
<title>nexusd</title>
<a href="${link}">Open the page of nexusd</a>
`;
