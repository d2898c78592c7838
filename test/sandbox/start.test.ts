import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";

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

test("before npm ci, it says that it is needed", async () => {
  expect(await start({ PATH: process.env.PATH ?? "", NEXUSD_NODE: process.execPath })).toEqual({
    code: 1,
    stderr: 'sandbox: its dependencies are not installed: run "npm ci" first\n',
  });
});

test("on a Node.js that is too old, it says which one is needed", async () => {
  const old = join(checkout, "old-node");
  writeFileSync(old, "#!/bin/sh\necho v20.20.2\n", { mode: 0o755 });
  const { code, stderr } = await start({ PATH: process.env.PATH ?? "", NEXUSD_NODE: old });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^npm start: needs Node\.js 22\.19 or newer\.\n.*v20\.20\.2[\s\S]*npm ci/);
});
