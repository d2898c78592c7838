// How long it takes until another node goes on, for each way in which a node can end, and what each of them commits.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Store } from "../../../src/contract/store.ts";
import { postgresUrl } from "../../support/open-store.ts";
import { newSchema, openPostgres } from "./harness.ts";

const NODE = fileURLToPath(new URL("./node.ts", import.meta.url));

interface Line {
  at: number;
  words: string[];
}

/** A process that is a node: node.ts. */
class NodeProcess {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  #heard: (() => void)[] = [];

  constructor(schema: string, name: string) {
    this.#child = spawn(process.execPath, [NODE, postgresUrl(), schema, name]);
    this.#child.stderr.pipe(process.stderr);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.lines.push({ at: performance.now(), words: line.split(" ") });
      for (const heard of this.#heard.splice(0)) heard();
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
  }

  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): number {
    this.#child.kill(signal);
    return performance.now();
  }

  /** The first line that begins with these words, from a time on. */
  async until(words: string, from = 0): Promise<number> {
    for (;;) {
      const line = this.lines.find(({ at, words: its }) => at >= from && its.join(" ").startsWith(words));
      if (line) return line.at;
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }
}

const start = async (schema: string, name: string): Promise<NodeProcess> => {
  const node = new NodeProcess(schema, name);
  await node.until("ready");
  return node;
};

/** The nodes that committed, in the order of the log, each once for each time that it took over; and who was unsure. */
async function readTurns(store: Store): Promise<{ turns: string[]; unsure: number }> {
  const turns: string[] = [];
  let unsure = 0;
  for (let after = 0; ; ) {
    const page = await store.readEvents({ after, limit: 1000 });
    for (const { json } of page.events) {
      const [name = "", , isSure] = String(JSON.parse(json).data.state).split(" ");
      if (turns.at(-1) !== name) turns.push(name);
      if (isSure === "false") unsure += 1;
    }
    if (page.next === page.latest) return { turns, unsure };
    after = page.next;
  }
}

const medianOf = (values: readonly number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;

test("after a SIGKILL another node goes on at once, and is told of the loss", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "reader" });
  const took: number[] = [];
  let holder = await start(schema, "n0");
  holder.tell("hold x");
  await holder.until("committed x");
  const expected = ["n0"];
  for (let round = 1; round <= 7; round++) {
    const next = await start(schema, `n${round}`);
    next.tell("hold x");
    const killedAt = holder.kill("SIGKILL");
    took.push((await next.until("held x")) - killedAt);
    await next.until("committed x");
    expected.push(`n${round}`);
    holder = next;
  }
  process.stderr.write(
    `SIGKILL: taken over after ${took.map((ms) => Math.round(ms)).join(", ")} ms, median ${Math.round(medianOf(took))} ms\n`,
  );
  expect((await readTurns(store)).turns).toEqual(expected);
  // Generous: it takes some milliseconds on a machine that does nothing else.
  expect(medianOf(took)).toBeLessThan(1000);
  await expect
    .poll(async () => (await store.fleet.nodes()).filter(({ state }) => state === "lost").length)
    .toBe(7);
}, 120_000);

test("a node that is stopped is replaced within 8 s, and what it commits afterwards is refused", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "reader" });
  const [first, second] = [await start(schema, "first"), await start(schema, "second")];
  first.tell("hold x");
  await first.until("committed x");
  second.tell("hold x");
  const stoppedAt = first.kill("SIGSTOP");
  const heldAt = await second.until("held x");
  await second.until("committed x");
  const continuedAt = first.kill("SIGCONT");
  await first.until("refused x fenced", continuedAt);
  await second.until("committed x", continuedAt + 300);
  process.stderr.write(`SIGSTOP: taken over after ${Math.round(heldAt - stoppedAt)} ms\n`);
  expect(heldAt - stoppedAt).toBeLessThan(8000);
  expect(await readTurns(store)).toEqual({ turns: ["first", "second"], unsure: 0 });
  expect(await store.fleet.leases()).toMatchObject([{ resource: "x", node: "second" }]);
  // It is one of them again, and takes over in turn.
  await expect.poll(() => store.fleet.nodes()).toMatchObject([{ name: "first", state: "up" }, {}, {}]);
  second.kill("SIGKILL");
  await first.until("held x", continuedAt);
}, 60_000);

test("a node that is stopped for less than a lease lasts keeps what it has", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "reader" });
  const [first, second] = [await start(schema, "first"), await start(schema, "second")];
  first.tell("hold x");
  await first.until("committed x");
  second.tell("hold x");
  first.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const continuedAt = first.kill("SIGCONT");
  await first.until("committed x", continuedAt + 1500);
  expect((await readTurns(store)).turns).toEqual(["first"]);
}, 60_000);

test("two nodes that are killed at once are both noticed at once", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "z" });
  const dying = [await start(schema, "a"), await start(schema, "b"), await start(schema, "c")];
  for (const [at, node] of dying.entries()) {
    node.tell(`hold x${at}`);
    await node.until(`committed x${at}`);
  }
  let killedAt = 0;
  for (const node of dying) killedAt = node.kill("SIGKILL");
  for (const at of dying.keys())
    await store.fleet.hold(`x${at}`, new AbortController().signal, async () => {});
  const took = performance.now() - killedAt;
  process.stderr.write(`SIGKILL of three of four: all taken over after ${Math.round(took)} ms\n`);
  expect(took).toBeLessThan(4000);
}, 60_000);
