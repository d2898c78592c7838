// A text given to Nex, from the command line to its findings, with the daemon killed in between.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { systemClock } from "../../sandbox/clock.ts";
import { type NexServer, startNex } from "../../sandbox/nex.ts";
import { runHere, spawnCli } from "../support/cli.ts";
import {
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  startDaemon,
  until,
} from "../support/daemon.ts";

const clock = systemClock();
let nex: NexServer;
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  nex = await startNex({ apiKey: SANDBOX_ENV.NEX_API_KEY, clock });
  installation = install(`
[messaging]\nenabled = false\n[nexus]\nenabled = false
[nex]
base_url = "${nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[approvals.policy]
"nex.*" = "operator"
"nex.context.*" = "auto"
`);
  daemon = startDaemon(installation);
  await daemon.ready;
});
afterAll(async () => {
  await daemon?.end("SIGKILL");
  await nex?.close();
  installation?.remove();
});

const cli = (...args: string[]) => ["--socket", installation.agentSocket, ...args];
const works = async () =>
  (await readLog(installation.agentSocket)).filter(({ type }) => type.startsWith("nexusd.nex.context."));

describe("nexusctl write --wait", () => {
  it("shows Nex's progress and ends with the result, through a SIGKILL of the daemon", async () => {
    nex.setProcessing({ ms: 9000 });
    const waiting = spawnCli(
      cli("write", "nex.context.add_text", "content=A call with Mary Major", "--wait", "--json"),
    );
    await until(async () => (await works()).length === 1, "the first status");
    await daemon.end("SIGKILL");
    daemon = startDaemon(installation);
    await daemon.ready;
    clock.advance(20_000);
    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    const [write, event, ...rest] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rest).toEqual([]);
    expect(write).toMatchObject({
      state: "succeeded",
      result: { output: { artifactId: expect.any(String) } },
    });
    expect(event).toMatchObject({
      type: "nexusd.nex.context.completed",
      data: {
        ...{
          writeId: write.id,
          operation: "nex.context.add_text",
          artifactId: write.result.output.artifactId,
        },
        result: { entities_created: 1 },
      },
    });
    expect(nex.requests.filter(({ path }) => path.endsWith("/context/text"))).toHaveLength(1);
    expect((await works()).map(({ type }) => type.split(".").at(-1))).toEqual(["progressed", "completed"]);
  });

  it("shows it to people, and fails if Nex fails", async () => {
    nex.setProcessing({ ms: 0 });
    const done = await runHere(
      cli("write", "nex.context.list_jobs", "query=people like mary", "--wait"),
      100,
    );
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(/01\w+ nex works on it/);
    expect(done.stdout).toContain('"name": "Mary Major"');
    nex.setProcessing({ ms: 0, error: "the model is \u001b[31maway" });
    const failed = await runHere(cli("write", "nex.context.list_jobs", "query=x", "--wait"), 100);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("the model is \\u001b[31maway");
  });

  it("gives up after the given time, and the work goes on", async () => {
    nex.setProcessing({ ms: 60_000 });
    const { code, stderr } = await runHere(
      cli("write", "nex.context.add_text", "content=Another call", "--wait", "1s"),
      100,
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/continues without this command/);
    clock.advance(60_000);
    await until(
      async () => (await works()).filter(({ type }) => /completed$/.test(type)).length === 3,
      "the end",
    );
  });
});
