import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CliProcess, createFakeDaemon, type FakeDaemon, runCli, spawnCli } from "../support/cli.ts";

let daemon: FakeDaemon;
let cli: CliProcess | undefined;

beforeEach(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
});
afterEach(async () => {
  cli?.child.kill("SIGKILL");
  cli = undefined;
  await daemon.remove();
});

const follow = (...more: string[]) => {
  cli = spawnCli(["--socket", daemon.socket, "events", "--follow", ...more]);
  return cli;
};
const append = (count: number) => {
  for (let i = 0; i < count; i++)
    daemon.append("messaging.message.received", { text: `m${daemon.log.length + 1}` });
};
const sequences = ({ lines }: CliProcess) => lines().map((line) => Number(JSON.parse(line).sequence));
const upTo = (latest: number, from = 1) => Array.from({ length: latest - from + 1 }, (_, i) => from + i);
const isConnected = async () => {
  while (!daemon.requests.some((request) => request.includes("/stream")))
    await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("events --follow", () => {
  it("prints every event exactly once, in order, over restarts of the daemon and cut connections", async () => {
    append(3);
    const process = follow("--after", "0");
    await process.until(({ lines }) => lines().length === 3);
    for (let round = 0; round < 4; round++) {
      append(2);
      await daemon.stop();
      append(5);
      await daemon.start();
      append(1);
      await process.until(({ lines }) => lines().length === daemon.log.length);
    }
    expect(sequences(process)).toStrictEqual(upTo(35));
    process.child.kill("SIGINT");
    expect((await process.ended).code).toBe(0);
  });

  it("survives a stream cut in the middle of an event, and one that repeats events", async () => {
    append(4);
    daemon.override = (_request, response) => {
      daemon.override = undefined;
      response.writeHead(200, { "content-type": "text/event-stream", "nexusd-epoch": daemon.epoch });
      const frame = (sequence: number) => `id: ${sequence}\nevent: x\ndata: ${daemon.log[sequence - 1]}\n\n`;
      response.write(frame(1) + frame(1) + frame(2) + frame(1) + frame(3).slice(0, 60));
      setTimeout(() => response.destroy(), 50);
      return true;
    };
    const process = follow("--after", "0");
    await process.until(({ lines }) => lines().length >= 4);
    append(1);
    await process.until(({ lines }) => lines().length >= 5);
    expect(sequences(process)).toStrictEqual(upTo(5));
    const resumed = daemon.requests.filter((request) => request.includes("/stream"))[1];
    expect(resumed).toContain("after=2");
  });

  it("begins at the end of the log by default", async () => {
    append(3);
    const process = follow();
    await isConnected();
    append(2);
    await process.until(({ lines }) => lines().length === 2);
    expect(sequences(process)).toStrictEqual([4, 5]);
  });

  it("prints each event exactly as it was stored", async () => {
    const json =
      '{"sequence":"1","type":"nexusd.x","data":{"id":48066188026052610,"n":1.0,"t":"\u202e\u200b\u0085"}}';
    daemon.appendRaw(json);
    const process = follow("--after", "0", "--limit", "1");
    expect((await process.ended).stdout).toBe(`${json}\n`);
  });

  it("reports that the log was replaced, and follows the new one from its start", async () => {
    append(5);
    const process = follow("--after", "0");
    await process.until(({ lines }) => lines().length === 5);
    await daemon.stop();
    daemon.epoch = "epoch-b";
    daemon.log = [];
    append(2);
    await daemon.start();
    await process.until(({ lines }) => lines().length === 7);
    expect(sequences(process)).toStrictEqual([1, 2, 3, 4, 5, 1, 2]);
    expect(process.stderr()).toMatch(/log was replaced \(epoch epoch-a is now epoch-b\)/);
  });

  it("refuses to go on if the same log has become shorter than what was read", async () => {
    append(5);
    const process = follow("--after", "0");
    await process.until(({ lines }) => lines().length === 5);
    await daemon.stop();
    daemon.log = daemon.log.slice(0, 2);
    await daemon.start();
    const { code, stdout } = await process.ended;
    expect(code).toBe(1);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ code: "cursor_ahead" });
  });

  it("reports events removed by retention, and goes on after them", async () => {
    append(6);
    daemon.pruned = 4;
    const process = follow("--after", "1");
    await process.until(({ lines }) => lines().length === 2);
    expect(sequences(process)).toStrictEqual([5, 6]);
    expect(process.stderr()).toContain("events 2 to 4 are missing");
  });

  it("reports once that the daemon is away, and once that it is back", async () => {
    append(1);
    const process = follow("--after", "0");
    await process.until(({ lines }) => lines().length === 1);
    await daemon.stop();
    await process.until(({ stderr }) => stderr().includes("No daemon at"));
    append(1);
    await daemon.start();
    await process.until(({ stderr }) => stderr().includes("connected again"));
    await process.until(({ lines }) => lines().length === 2);
    expect(process.stderr().match(/No daemon at/g)).toHaveLength(1);
    expect(process.stderr()).toMatch(/No daemon at \S+\. Waiting for it; start it with: bin\/nexusd$/m);
  });

  it("ends with 69 when there is no daemon at the start", async () => {
    await daemon.stop();
    expect((await runCli(["--socket", daemon.socket, "events", "--follow"])).code).toBe(69);
  });

  it("loses nothing if its reader is slow", async () => {
    for (let i = 0; i < 200; i++) daemon.append("x.y", { text: "x".repeat(10_000) });
    const process = follow("--after", "0", "--limit", "300");
    process.child.stdout?.pause();
    await isConnected();
    for (let i = 0; i < 100; i++) daemon.append("x.y", { text: "x".repeat(10_000) });
    process.child.stdout?.resume();
    expect((await process.ended).code).toBe(0);
    expect(sequences(process)).toStrictEqual(upTo(300));
  });
});
