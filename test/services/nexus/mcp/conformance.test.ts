// MCP's official conformance suite, run against our connection as a separate process.

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../support/store.ts";

const SUITE = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json")),
  "dist/index.js",
);
const CLIENT = new URL("./conformance-client.ts", import.meta.url).pathname;

test.each(["initialize", "tools_call", "sse-retry"])(
  "the client passes the scenario %s",
  async (scenario) => {
    const command = `'${process.execPath}' '${CLIENT}'`;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [SUITE, "client", "--command", command, "--scenario", scenario],
      // It writes its report where it runs.
      { cwd: temporaryDirectory(), timeout: 60_000 },
    ).catch((error: { stdout: string; stderr: string }) => error);
    expect(stdout + stderr).toContain("OVERALL: PASSED");
  },
);
