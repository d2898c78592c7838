// A budget that processes share on a real database: they are killed and stopped, and a server counts.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { createSharedValues } from "../../../src/store/postgres/shared-values.ts";
import { postgresUrl } from "../../support/open-store.ts";
import { connectTo, newSchema, openPostgres } from "./harness.ts";

const settingsOf = (schema: string) => ({
  ...{ url: postgresUrl(), schema, place: "the test's database", applicationName: "test" },
});

describe("shared values", () => {
  test("only one of those that compare with the same version sets the value", async () => {
    const schema = newSchema();
    await openPostgres({ schema });
    const both = [createSharedValues(settingsOf(schema)), createSharedValues(settingsOf(schema))];
    onTestFinished(async () => void (await Promise.all(both.map((one) => one.close()))));
    const [one, other] = both;
    expect(await one?.read("x")).toBeUndefined();
    for (let version = 0; version < 20; version++) {
      const set = await Promise.all(both.map((each, n) => each.swap("x", version, `${n}`)));
      expect(set.filter(Boolean)).toHaveLength(1);
      expect(await other?.read("x")).toEqual({ version: version + 1, text: set[0] ? "0" : "1" });
    }
  });

  test("a lost connection fails the call in progress, and the next one opens another", async () => {
    const schema = newSchema();
    await openPostgres({ schema });
    const killer = createSharedValues({ ...settingsOf(schema), applicationName: "killer" });
    const values = createSharedValues({ ...settingsOf(schema), applicationName: `victim ${schema}` });
    onTestFinished(async () => void (await Promise.all([killer.close(), values.close()])));
    await values.swap("x", 0, "1");
    const superuser = await connectTo(schema);
    await superuser.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
      [`victim ${schema}`],
    );
    await expect.poll(() => values.read("x").catch(() => undefined)).toEqual({ version: 1, text: "1" });
  });
});

describe("two processes of one egress", () => {
  const WINDOW_MS = 15_000;
  const LIMIT = 20;

  test("never show more than the limit in any window, whatever is killed or stopped", {
    timeout: 120_000,
  }, async () => {
    const schema = newSchema();
    await openPostgres({ schema });
    const counted: { at: number; node: string }[] = [];
    const server = createServer((request, response) => {
      counted.push({ at: performance.now(), node: request.url ?? "" });
      response.end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const children = new Map<string, ChildProcess>();
    const start = (node: string) => {
      const args = [postgresUrl(), schema, node, `http://127.0.0.1:${port}`, `${LIMIT}`, `${WINDOW_MS}`];
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL("./budget-child.ts", import.meta.url)), ...args],
        {
          stdio: "inherit",
        },
      );
      children.set(node, child);
    };
    onTestFinished(() => {
      for (const child of children.values()) child.kill("SIGKILL");
    });
    start("a");
    start("b");
    await expect.poll(() => new Set(counted.map(({ node }) => node)).size, { timeout: 40_000 }).toBe(2);
    // The time itself is what is tested here: windows of the server's clock.
    for (let round = 0; round < 4; round++) {
      children.get("a")?.kill("SIGSTOP");
      await sleep(4000);
      children.get("b")?.kill("SIGKILL");
      start("b");
      children.get("a")?.kill("SIGCONT");
      await sleep(3000);
      children.get("b")?.kill("SIGSTOP");
      await sleep(2000);
      children.get("a")?.kill("SIGKILL");
      start("a");
      children.get("b")?.kill("SIGCONT");
      await sleep(1000);
    }
    for (const { at } of counted) {
      const within = counted.filter((other) => other.at >= at && other.at < at + WINDOW_MS);
      expect(within.length).toBeLessThanOrEqual(LIMIT);
    }
    expect(counted.length).toBeGreaterThan(LIMIT);
  });
});
