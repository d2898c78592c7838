// A user's own jobs in a real daemon: with their own settings and events, in TypeScript and JavaScript, loaded again by
// a reload.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createClient, isNexusdError } from "../../src/client/index.ts";
import { install, startDaemon, until } from "../support/daemon.ts";

const TYPESCRIPT = `import { defineJob, z } from "nexusd/job";
import { greeting } from "./_words.ts";

export default defineJob({
  name: "shop-report",
  description: "Reports what the shop has",
  kind: "cron",
  settings: z.strictObject({ at: z.string().default("0 9 * * *"), items: z.int().default(3) }),
  events: {
    "shop.report.made": {
      when: "The report of the shop is made.",
      data: z.object({ items: z.int().describe("pieces"), greeting: z.string() }),
    },
  },
  schedule: (_config, settings) => settings.at,
  catchUp: "none",
  async run({ store, settings }) {
    await store.commitObservation({
      source: "shop-report",
      events: [
        { type: "shop.report.made", source: "/jobs/shop-report", data: { items: settings.items, greeting } },
      ],
    });
  },
});
`;
const JAVASCRIPT = `import { z } from "zod";

export default {
  name: "bad-report",
  description: "Logs what it did not declare",
  kind: "cron",
  schedule: "0 9 * * *",
  catchUp: "none",
  events: { "shop.bad.made": { when: "Never.", data: z.object({ items: z.int() }) } },
  async run({ store, log }) {
    log.info("now");
    const events = [{ type: "shop.bad.made", source: "/jobs/bad", data: { items: "many" } }];
    await store.commitObservation({ source: "bad", events });
  },
};
`;

async function startWith(files: Record<string, string>, settings = "") {
  const installation = install("");
  onTestFinished(installation.remove);
  const jobs = join(installation.directory, "jobs");
  mkdirSync(jobs);
  const put = (name: string, text: string) => writeFileSync(join(jobs, name), text);
  for (const [name, text] of Object.entries(files)) put(name, text);
  const configure = (more: string) =>
    writeFileSync(
      installation.configPath,
      `[daemon]\ndata_dir = "${installation.dataDir}"\n[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n[jobs]\ndirectory = "${jobs}"\n${more}`,
    );
  configure(settings);
  const daemon = startDaemon(installation);
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
  });
  await daemon.ready;
  const nexusd = createClient<{ "shop.report.made": { items: number; greeting: string } }>(installation);
  onTestFinished(nexusd.close);
  const reports = async () => {
    const { events } = await nexusd.readEvents({ types: ["shop.report.made"] });
    return events.map((event) => (event.type === "nexusd.shop.report.made" ? event.data : undefined));
  };
  const job = async (name: string) => (await nexusd.jobs.list()).jobs.find((one) => one.name === name);
  return { nexusd, daemon, configure, put, reports, job, jobs };
}

const WORDS = { "_words.ts": 'export const greeting: string = "good morning";\n' };

it("a job has its own settings and events, each in its place", async () => {
  const { nexusd, reports, job } = await startWith(
    { ...WORDS, "report.ts": TYPESCRIPT },
    '[jobs.shop-report]\nat = "5 4 * * *"\nitems = 7\n',
  );
  // Before any exists: its declaration makes the type known.
  expect(await reports()).toEqual([]);
  await nexusd.jobs.run("shop-report");
  expect(await reports()).toEqual([{ items: 7, greeting: "good morning" }]);
  expect((await job("shop-report"))?.schedule).toBe("5 4 * * *");
  await nexusd.consumers.create("reports", { from: "oldest", types: ["shop.*"] });
  expect((await nexusd.consumers.read("reports")).events).toMatchObject([
    { type: "nexusd.shop.report.made" },
  ]);
});

it("an undeclared type is refused with the nearest one, in a query, a stream and a consumer", async () => {
  const { nexusd } = await startWith({ ...WORDS, "report.ts": TYPESCRIPT });
  const refusal = async (call: Promise<unknown>) => {
    const error = await call.catch((error: unknown) => error);
    return isNexusdError(error, "invalid_request") ? error.problem.errors?.[0] : error;
  };
  const meant = expect.stringContaining("did you mean nexusd.shop.report.made");
  expect(await refusal(nexusd.readEvents({ types: ["shop.reprt.made"] }))).toEqual({
    path: "type[0]",
    message: meant,
  });
  expect(await refusal(nexusd.events({ types: ["nex.*", "shop.report.maid"] }).next())).toEqual({
    path: "type[1]",
    message: meant,
  });
  expect(await refusal(nexusd.consumers.create("x", { types: ["shop.reports.*"] }))).toEqual({
    path: "types[0]",
    message: expect.stringContaining("nexusd.shop.report.*"),
  });
  expect(await refusal(nexusd.readEvents({ types: ["library.book.lent"] }))).toMatchObject({
    path: "type[0]",
  });
});

it("a reload loads the files again, with the modules that they share and their settings", async () => {
  const { nexusd, daemon, configure, put, reports, job, jobs } = await startWith({
    ...WORDS,
    "report.ts": TYPESCRIPT,
  });
  await nexusd.jobs.run("shop-report");
  expect(await nexusd.reload()).toEqual({ applied: [], restartNeeded: [] });

  put("_words.ts", 'export const greeting = "good evening";\n');
  put("second.mjs", JAVASCRIPT.replaceAll("bad", "second"));
  configure("[jobs.shop-report]\nitems = 9\n");
  const { applied } = await nexusd.reload();
  expect(applied.sort()).toEqual(["jobs.second-report", "jobs.shop-report", "jobs.shop-report.items"]);
  await nexusd.jobs.run("shop-report");
  expect(await reports()).toEqual([
    { items: 3, greeting: "good morning" },
    { items: 9, greeting: "good evening" },
  ]);
  expect((await job("second-report"))?.state).toBe("starting");

  configure('[jobs.shop-report]\nitems = "many"\n');
  const refused = await nexusd.reload().catch((error: unknown) => error);
  expect(isNexusdError(refused, "invalid_config") && refused.problem.errors).toMatchObject([
    { path: "jobs.shop-report.items", message: expect.stringContaining("must be") },
  ]);
  configure("[jobs.shop-reprot]\nitems = 1\n");
  const unknown = await nexusd.reload().catch((error: unknown) => error);
  expect(isNexusdError(unknown, "invalid_config") && unknown.problem.errors).toMatchObject([
    { path: "jobs.shop-reprot", message: expect.stringContaining('did you mean "shop-report"?') },
  ]);

  configure("");
  rmSync(join(jobs, "second.mjs"));
  put("report.ts", TYPESCRIPT.replace("catchUp:", "catchup:"));
  await nexusd.reload();
  expect(await job("second-report")).toBeUndefined();
  expect(await job("report")).toMatchObject({
    state: "invalid",
    lastError: { message: expect.stringMatching(/^line 16: catchUp: .*did you mean "catchUp"/) },
  });
  expect(daemon.log()).toMatch(/"file":"[^"]*report.ts","line":16/);
});

it("an event that does not match its declaration is not logged, and the failure names file and line", async () => {
  const { nexusd, job } = await startWith({ "bad.mjs": JAVASCRIPT });
  await nexusd.jobs.run("bad-report");
  const failed = await until(async () => (await job("bad-report"))?.lastError ?? undefined, "the failure");
  expect(failed.message).toMatch(
    /event shop.bad.made of the job bad-report: data.items must be .*\(bad.mjs:13\)$/,
  );
  const { events } = await nexusd.readEvents({ types: ["shop.*", "job.failed"] });
  expect(events).toMatchObject([{ type: "nexusd.job.failed", data: { message: failed.message } }]);
});
