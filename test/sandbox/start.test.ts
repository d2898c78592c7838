import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";

const checkout = mkdtempSync(join(tmpdir(), "nexusd-start-"));
beforeAll(() => {
  for (const part of ["bin", "sandbox", "src", "package.json", "package-lock.json"])
    cpSync(part, join(checkout, part), { recursive: true });
});

const start = (env: Record<string, string>) =>
  new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile("/bin/sh", [join(checkout, "sandbox/start.sh")], { env }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    ),
  );

test("before npm ci it reports that this is required", async () => {
  expect(await start({ PATH: process.env.PATH ?? "", NEXUSD_NODE: process.execPath })).toEqual({
    code: 1,
    stderr: 'sandbox: its dependencies are not installed: run "npm ci" first\n',
  });
});

test("on a Node.js that is too old it names the required version", async () => {
  const old = join(checkout, "old-node");
  writeFileSync(old, "#!/bin/sh\necho v20.20.2\n", { mode: 0o755 });
  const { code, stderr } = await start({ PATH: process.env.PATH ?? "", NEXUSD_NODE: old });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^npm start: needs Node\.js 22\.19 or newer\.\n.*v20\.20\.2[\s\S]*npm ci/);
});

test("npm that is told to stop leaves nothing running", async () => {
  // Prints its process id, and lives until it is told to end.
  const node = join(checkout, "lasting-node");
  const lasting = `#!/bin/sh
[ "$1" != --version ] || { echo v26.0.0; exit; }
trap 'echo told; exit' TERM
echo "pid $$"
while :; do sleep 0.05; done
`;
  writeFileSync(node, lasting, { mode: 0o755 });
  const npm = spawn("npm", ["start", "--silent"], {
    cwd: checkout,
    env: { ...process.env, NEXUSD_NODE: node },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  onTestFinished(() => {
    try {
      if (npm.pid !== undefined) process.kill(-npm.pid, "SIGKILL");
    } catch {
      // All of them are gone, as they should be.
    }
  });
  const ended = once(npm.stdout, "close");
  let said = "";
  npm.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  while (!said.includes("pid ")) await once(npm.stdout, "data");
  npm.kill("SIGTERM");
  // Ends only once every copy of the pipe is closed.
  await ended;
  expect(said).toContain("told");
});
