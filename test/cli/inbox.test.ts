// The inbox with thousands of proposals: a real store behind the real API, nexusctl as a real process on a terminal.

import { readFileSync } from "node:fs";
import { monotonicFactory } from "ulid";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { spawnCli } from "../support/cli.ts";
import { startTestControl, type TestControl } from "../support/control.ts";
import { noTerminal, onTerminal } from "../support/pty.ts";
import { insertWrites, propose, proposedWrite } from "../support/stored-write.ts";
import { realWritePath } from "../support/write-path.ts";

const MANY = 5000;
/** About half of it is what node:http, commander and the code take before any proposal. */
const HEAP = ["--max-old-space-size=48"];
const MOST_RESIDENT = 220 * 2 ** 20;

const startControl = () => startTestControl({ writePath: (store, clock) => realWritePath({ store, clock }) });

/** As agents would have proposed them; the request and its preview contain text of `length` characters. */
function proposeMany({ directory }: TestControl, count: number, length: number): void {
  const nextId = monotonicFactory();
  insertWrites(
    directory,
    (function* () {
      for (let n = 1; n <= count; n++) {
        const input = { orderId: `order-${n}`, orderStatus: "shipped", note: "n".repeat(length) };
        yield proposedWrite({
          id: nextId(1_700_000_000_000),
          input,
          preview: {
            method: "PATCH",
            url: "https://nexus.test/orders",
            headers: [],
            body: canonicalJson(input),
          },
          precondition: JSON.stringify({ orderNumber: `NX-${n}`, orderStatus: "pending" }),
          reason: "left the warehouse",
          agent: "packer",
          expiresAt: "9999-01-01T00:00:00.000Z",
        });
      }
    })(),
  );
}

const residentAtMost = (pid: number) =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

describe.skipIf(noTerminal)(noTerminal ?? "writes watch", () => {
  it("shows 5,000 proposals in little memory, says what each is about, and decides the last one", async () => {
    const control = await startControl();
    proposeMany(control, MANY, 300);
    const { operator } = control.sockets;
    const watch = onTerminal(["--socket", operator, "writes", "watch"], { node: HEAP, columns: 120 });
    await watch.until(`${MANY} to decide`);
    await watch.until("order NX-1: pending to shipped");
    watch.type("\x1b[F");
    await watch.until(`order NX-${MANY}: pending to shipped`);
    // A proposal that arrives while it is open.
    await propose(control.store, { expiresAt: "9999-01-01T00:00:00.000Z", reason: "the newest" });
    await watch.until(`${MANY + 1} to decide`);
    watch.type("\x1b[F\r");
    await watch.until("the newest", watch.text().length);
    expect(residentAtMost(watch.pid())).toBeLessThan(MOST_RESIDENT);
    watch.type("q");
    expect(await watch.ended).toContain("code 0");
  });

  it("needs no more memory if each of them is long", async () => {
    const control = await startControl();
    proposeMany(control, 300, 200_000);
    const { operator } = control.sockets;
    const watch = onTerminal(["--socket", operator, "writes", "watch"], { node: HEAP, columns: 120 });
    await watch.until("300 to decide");
    expect(residentAtMost(watch.pid())).toBeLessThan(MOST_RESIDENT);
    watch.type("\r");
    await watch.until("read to the end");
    watch.type("q");
    expect(await watch.ended).toContain("code 0");
  });
});

describe("writes list --all", () => {
  it("prints thousands of writes completely, in little memory", async () => {
    const control = await startControl();
    proposeMany(control, 2000, 10_000);
    const list = spawnCli(["--socket", control.sockets.agent, "writes", "list", "--all"], {
      NODE_OPTIONS: HEAP.join(" "),
    });
    const { code, stdout } = await list.ended;
    expect(code).toBe(0);
    const { writes, next } = JSON.parse(stdout);
    expect([writes.length, next]).toStrictEqual([2000, null]);
    expect(writes[0].input).toMatchObject({ orderId: "order-2000" });
    expect(writes.at(-1).input).toMatchObject({ orderId: "order-1" });
  });
});
