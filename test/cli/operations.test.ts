import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/run.ts";
import { createFakeDaemon, type FakeDaemon, runHere, spawnCli } from "../support/cli.ts";
import { type FakeWrites, serveWrites } from "../support/fake-writes.ts";

const HUGE = "48066188026052610";
const UPDATE = "nexus.orders.update_status";
let daemon: FakeDaemon;
let fake: FakeWrites;

beforeEach(async () => {
  daemon = createFakeDaemon();
  fake = serveWrites(daemon);
  await daemon.start();
});
afterEach(() => daemon.remove());

const here = (...args: string[]) => runHere(["--socket", daemon.socket, ...args]);
const atTerminal = (...args: string[]) => runHere(["--socket", daemon.socket, ...args], 100);
const body = () => fake.bodies.at(-1)?.text;

describe("operations", () => {
  it("are printed as the daemon's JSON, filtered by the daemon, or as a table", async () => {
    expect(JSON.parse((await here("operations")).stdout)).toStrictEqual(fake.operations);
    await here("operations", "--service", "nexus", "--effect", "write");
    expect(daemon.requests.at(-1)).toBe("GET /v1/operations?service=nexus&effect=write");
    const { stdout } = await atTerminal("operations", "list");
    expect(stdout).toMatch(/^nexus\.orders\.update_status +write +operator +Change the status of an order$/m);
    expect(stdout).toMatch(/^nexus\.orders\.list +read +- +List orders$/m);
  });

  it("are described one by one, in help generated from the schema", async () => {
    expect(JSON.parse((await here("operations", "show", UPDATE)).stdout)).toStrictEqual(fake.operations[0]);
    const { stdout } = await atTerminal("operations", "show", UPDATE);
    expect(stdout).toContain("Change the status of an order");
    expect(stdout).toMatch(/orderStatus +required +one of paid, shipped; The new status/);
    expect(stdout).toMatch(/notify +optional +true or false; default false/);
    expect(stdout).toMatch(/tags +optional +array of text/);
    expect(stdout).toContain(`Usage: nexusctl write ${UPDATE} orderId=… orderStatus=…`);
    expect((await here("write", UPDATE, "--help")).stdout).toBe(stdout);
    expect(await here("write", "--help")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("--idempotency-key"),
    });
  });

  it("that do not exist are a problem that names the nearest ones", async () => {
    const { code, stdout } = await here("write", "nexus.order.update_status", "a=b");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "operation_not_found",
      detail: expect.stringContaining(`Did you mean ${UPDATE}`),
    });
    expect(fake.bodies).toStrictEqual([]);
  });

  it("described by a service cannot control the terminal", async () => {
    const [first] = fake.operations;
    if (first) fake.operations = [{ ...first, title: "a\u001b[2Jb", description: "c\nUsage: d\u202e" }];
    const { stdout } = await atTerminal("operations", "show", UPDATE);
    expect(stdout).toContain("a\\x1b[2Jb");
    expect(stdout).toContain("c\\nUsage: d\\u{202e}");
    expect((await atTerminal("operations")).stdout).toContain("a\\x1b[2Jb");
  });
});

describe("read", () => {
  it("sends the input and prints the daemon's JSON, with every digit", async () => {
    const { code, stdout } = await here("read", "nexus.orders.list", `limit=${HUGE}`);
    expect(code).toBe(0);
    expect(body()).toBe(`{"operation":"nexus.orders.list","input":{"limit":${HUGE}}}`);
    expect(stdout).toBe(`{"output":{"limit":${HUGE}},"meta":{"service":"nexus","durationMs":3}}\n`);
  });

  it("prints the output laid out and escaped for people, and names the service on stderr", async () => {
    const { stdout, stderr } = await atTerminal(
      "read",
      "x.y.z",
      "--input",
      `{"a":[${HUGE},"\\u001b[2J\u202e"],"b":{}}`,
    );
    expect(stdout).toBe(`a  [${HUGE},"\\u001b[2J\\u{202e}"]\nb  {}\n`);
    expect(stderr).toBe("nexusctl: nexus answered in 3 ms\n");
  });

  it("asks for the schema only if an argument needs it", async () => {
    await here("read", "nexus.orders.list", "--input", '{"limit":1}');
    expect(daemon.requests).toStrictEqual(["POST /v1/reads"]);
  });

  it("takes the input from a file or from stdin", async () => {
    const file = join(daemon.dir, "input.json");
    writeFileSync(file, `{"limit": ${HUGE}}`);
    await here("read", "nexus.orders.list", "--input", `@${file}`);
    expect(body()).toContain(`"input":{"limit":${HUGE}}`);
    const io = { stderr: process.stderr, env: {}, tty: undefined, terminal: undefined };
    const stdin = Readable.from(['{"lim', 'it":2}']);
    const code = await run(["--socket", daemon.socket, "read", "nexus.orders.list", "--input", "-"], {
      ...io,
      stdout: new PassThrough().resume(),
      stdin,
      signal: new AbortController().signal,
    });
    expect(code).toBe(0);
    expect(body()).toContain('"input":{"limit":2}');
  });

  it.each([
    ["no operation", []],
    ["JSON that is none", ["a.b.c", "--input", "{"]],
    ["a file that is not there", ["a.b.c", "--input", "@/nowhere/at/all"]],
    ["an unknown key", ["nexus.orders.list", "limt=1"]],
    ["a wrong value", ["nexus.orders.list", "limit=x"]],
    ["arguments on an input that is no object", ["nexus.orders.list", "--input", "[1]", "limit=1"]],
  ])("ends with 2 and sends nothing for %s", async (_what, args) => {
    const { code, stdout, stderr } = await here("read", ...args);
    expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
    expect(stderr).not.toBe("");
    expect(fake.bodies).toStrictEqual([]);
  });
});

describe("write", () => {
  it("proposes with the agent's own options, and prints the write", async () => {
    const options = ["--reason", "r", "--agent", "me", "--idempotency-key", "k", "--ttl", "2h"];
    const { code, stdout } = await here("write", UPDATE, "orderId=o-1", "orderStatus=paid", ...options);
    expect(code).toBe(0);
    expect(JSON.parse(body() ?? "")).toStrictEqual({
      operation: UPDATE,
      input: { orderId: "o-1", orderStatus: "paid" },
      ...{ reason: "r", agent: "me", idempotencyKey: "k", ttl: "2h" },
    });
    expect(JSON.parse(stdout)).toMatchObject({ state: "proposed", reason: "r", agent: "me" });
  });

  it("prints the id for people, and who decides", async () => {
    const { stdout, stderr } = await atTerminal("write", UPDATE, "orderId=1");
    const id = [...fake.all.keys()][0];
    expect(stdout).toMatch(new RegExp(`^${id}  ${UPDATE}  proposed .* expires in `));
    expect(stderr).toContain(`nexusctl writes approve ${id}`);
  });

  it.each<[string[]]>([
    [["write", UPDATE, "--wait", "orderId=1"]],
    [["write", "--wait", UPDATE, "orderId=1"]],
    [["write", "--wait", "30s", UPDATE, "orderId=1"]],
    [["write", UPDATE, "orderId=1", "--wait"]],
  ])("%j waits until it is executed, and ends with 0", async (args) => {
    const cli = spawnCli(["--socket", daemon.socket, ...args]);
    await decided("approved");
    const [id = ""] = fake.all.keys();
    fake.move(id, "executing");
    fake.move(id, "succeeded", { result: { output: { ok: true } } });
    const { code, stdout } = await cli.ended;
    expect(JSON.parse(body() ?? "").input).toStrictEqual({ orderId: "1" });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id, state: "succeeded", result: { output: { ok: true } } });
  });

  it.each(["rejected", "expired", "cancelled", "failed", "unknown"] as const)(
    "with --wait ends with 1 and the write when it is %s",
    async (state) => {
      const cli = spawnCli(["--socket", daemon.socket, "write", UPDATE, "orderId=1", "--wait"]);
      await decided(state);
      const { code, stdout } = await cli.ended;
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ state });
    },
  );

  it("with --wait DURATION ends with 1 when the time is up, and prints the write as it is then", async () => {
    const { code, stdout } = await here("write", UPDATE, "orderId=1", "--wait", "50ms");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ state: "proposed" });
  });

  it("goes on waiting when the daemon restarts", async () => {
    const cli = spawnCli(["--socket", daemon.socket, "write", UPDATE, "orderId=1", "--wait"]);
    await waitsFor();
    await daemon.stop();
    await cli.until(({ stderr }) => /Waiting for it/.test(stderr()));
    await daemon.start();
    const [id = ""] = fake.all.keys();
    fake.move(id, "rejected", { note: "no" });
    const { code, stdout } = await cli.ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ state: "rejected", note: "no" });
  });

  it("says that the write goes on without it when its wait is interrupted", async () => {
    const cli = spawnCli(["--socket", daemon.socket, "write", UPDATE, "orderId=1", "--wait"]);
    await waitsFor();
    cli.child.kill("SIGINT");
    const { code, stderr } = await cli.ended;
    expect(code).toBe(130);
    expect(stderr).toContain(`${[...fake.all.keys()][0]} was proposed and continues`);
  });

  it("prints the outcome for people, whatever a service answered", async () => {
    const done = atTerminal("write", UPDATE, "orderId=1", "--wait");
    await decided("failed", {
      result: { error: { code: "stale", message: "gone\u001b[2J\nstate succeeded" } },
    });
    const { code, stdout } = await done;
    expect(code).toBe(1);
    expect(stdout).toMatch(/^state +failed .*stale: gone\\x1b\[2J\\nstate succeeded$/m);
  });
});

/** Until the command polls for the write that it proposed. */
const waitsFor = async () => {
  while (!daemon.requests.some((request) => request.includes("?wait=")))
    await new Promise((resolve) => setTimeout(resolve, 5));
};
const decided = async (
  ...change: [Parameters<FakeWrites["move"]>[1], Parameters<FakeWrites["move"]>[2]?]
) => {
  await waitsFor();
  fake.move([...fake.all.keys()][0] ?? "", ...change);
};

describe("audit", () => {
  const row = {
    sequence: 1,
    at: "2026-01-02T03:04:05.678Z",
    action: "approved",
    writeId: "01K00000000000000000000001",
    digest: "d",
    actor: { via: "operator.sock", user: "root" },
    detail: '{"note":"\u202ex"}',
    previousHash: "0",
    hash: "h",
  };

  it("shows its rows, as JSON or escaped in a table", async () => {
    fake.audit.rows = [row];
    const options = ["--after", "5", "--limit", "1", "--write", "w"];
    expect(JSON.parse((await here("audit", ...options)).stdout)).toStrictEqual({ rows: [row], next: 1 });
    expect(daemon.requests.at(-1)).toBe("GET /v1/audit?after=5&limit=1&writeId=w");
    const { stdout } = await atTerminal("audit", "show");
    expect(stdout).toMatch(
      /^1 +2026-\S+ +approved +…00000001 +root over operator\.sock +\{"note":"\\u\{202e\}x"\}$/m,
    );
  });

  it("ends with 0 if the chain is whole, and with 1 and the row if it is broken", async () => {
    expect(await atTerminal("audit", "verify")).toMatchObject({
      code: 0,
      stdout: "The chain is intact: 0 rows.\n",
    });
    const broken = { ok: false, rows: 9, head: "h", brokenAt: { sequence: 4, why: "it was changed" } };
    fake.audit.verdict = { ...broken, changed: [], changedCount: 0 };
    expect(await atTerminal("audit", "verify")).toMatchObject({
      code: 1,
      stdout: "The chain is broken at row 4: it was changed.\n",
    });
    const { code, stdout } = await here("audit", "verify");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toStrictEqual(fake.audit.verdict);
  });
});
