// A node that is stopped between its claim and the wire, while another one takes over.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { postgresUrl } from "../../support/open-store.ts";
import { newSchema, openPostgres } from "./harness.ts";

test("stopped before its first byte, a node sends and commits nothing when it comes back", async () => {
  const schema = newSchema();
  await openPostgres({ schema });
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;

  const start = (node: string) => {
    const args = [postgresUrl(), schema, node, `http://127.0.0.1:${port}`];
    const child: ChildProcess = spawn(
      process.execPath,
      [fileURLToPath(new URL("./wire-child.ts", import.meta.url)), ...args],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    return { child, go: () => child.stdin?.write("go\n"), said: () => said.trim().split("\n") };
  };
  const stopped = start("stopped");
  await expect.poll(stopped.said).toEqual(["held"]);
  stopped.child.kill("SIGSTOP");
  stopped.go();
  const next = start("next");
  await expect.poll(next.said).toEqual(["held"]);
  next.go();
  await expect.poll(next.said).toEqual(["held", "sent committed"]);
  stopped.child.kill("SIGCONT");
  await expect.poll(stopped.said).toEqual(["held", "too_late fenced"]);
  expect(requests).toEqual(["/next"]);
});
