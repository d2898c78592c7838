import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../support/open-store.ts";
import { temporaryDirectory } from "../support/store.ts";

const WRITER = fileURLToPath(new URL("../support/store-writer.ts", import.meta.url));
const SOURCES = ["/a", "/b", "/c"];

/** Starts a writer, kills it `delayMs` after it printed `line`, and gives the last number acknowledged by source. */
const writeAndKill = async (dataDir: string, line: RegExp | undefined, delayMs: number) => {
  const child = spawn(process.execPath, [WRITER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  const closed = new Promise((resolve, reject) => {
    child.on("close", resolve).on("error", reject);
  });
  await new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (line?.test(output)) resolve();
    });
    if (!line) resolve();
    child.on("close", () => resolve());
  });
  const kill = setTimeout(() => child.kill("SIGKILL"), delayMs);
  await closed;
  clearTimeout(kill);
  expect(child.signalCode).toBe("SIGKILL");
  const acknowledged = new Map(SOURCES.map((source) => [source, 0]));
  for (const [, source = "", n] of output.matchAll(/^(\/\w) (\d+)\n/gm)) acknowledged.set(source, Number(n));
  return acknowledged;
};

const readAll = async (store: Store) => {
  const events: { sequence: number; source: string; n: number }[] = [];
  for (let after = 0; ; ) {
    const page = await store.readEvents({ after, limit: 1000 });
    for (const { sequence, json } of page.events) {
      const { source, data } = JSON.parse(json);
      events.push({ sequence, source, n: Number(data.state) });
    }
    if (page.next === page.latest) return { events, latest: page.latest };
    after = page.next;
  }
};

test("SIGKILL at any moment loses nothing that was acknowledged and leaves no partial observation", async () => {
  const dataDir = join(temporaryDirectory(), "data");
  const random = (below: number) => Math.floor(Math.random() * below);
  for (let round = 0; round < 10; round++) {
    // The first rounds end while the database is made and migrated, where that is.
    const acknowledged =
      round < 3
        ? await writeAndKill(dataDir, undefined, 60 + random(150))
        : await writeAndKill(dataDir, /^\/c /m, random(120));

    const store = await openStore({ dataDir, clock: systemClock });
    try {
      const { events, latest } = await readAll(store);
      expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: latest }, (_, n) => n + 1));
      for (const source of SOURCES) {
        const numbers = events.filter((event) => event.source === source).map(({ n }) => n);
        expect(numbers).toEqual(numbers.map((_, index) => index + 1));
        expect((await store.readCursor(source))?.value ?? 0).toBe(numbers.length);
        expect(numbers.length).toBeGreaterThanOrEqual(acknowledged.get(source) ?? 0);
      }
      if (round >= 3) expect(latest).toBeGreaterThan(0);
    } finally {
      await store.close();
    }
  }
});
