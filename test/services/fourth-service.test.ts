// A fourth service: a folder and one line in the list, in a copy of the sources, and everything knows it.

import { execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ask, until } from "../support/daemon.ts";
import { json, serve } from "../support/http-server.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const FOLDER = {
  "config.ts": `
import { z } from "zod";
import { duration, origin, secretRef } from "../../core/settings.ts";

export const weatherSettings = z.strictObject({
  enabled: z.boolean().default(true),
  base_url: origin.default("https://weather.example"),
  api_key: secretRef.optional(),
});
export const weatherJobSettings = {
  "weather-look": z.strictObject({ pause: duration("1s", "100ms") }).prefault({}),
};
`,
  "module.ts": `
import type { ServiceModule } from "../module.ts";
import { weatherJobSettings, weatherSettings } from "./config.ts";

export const weather = {
  name: "weather",
  title: "Weather",
  settings: weatherSettings,
  secrets: ["api_key"],
  jobSettings: weatherJobSettings,
  approval: "operator",
  runtimePrefix: null,
  secretKinds: [],
  readWithinMs: 10_000,
  lookWithinMs: 10_000,
  secretIn: () => null,
  load: async () => (await import("./service.ts")).service,
  loadProbe: async () => (await import("./probe.ts")).probe,
} as const satisfies ServiceModule;
`,
  "probe.ts": `
import type { Probe } from "../module.ts";

export const probe = (): Probe => ({
  ask: (send) => send({ method: "GET", path: "/now", label: "GET /now" }),
  success: "says how the weather is",
  refused: "Check [weather] api_key.",
});
`,
  "service.ts": `
import { z } from "zod";
import type { HttpClient } from "../../http/client.ts";
import { single } from "../../contract/metric.ts";
import { defineJob } from "../job.ts";
import { type Base, KEEPS_NOTHING, type RunningService, type ServiceCode } from "../module.ts";
import { defineOperationsOf, type Facts, NO_CREDENTIAL, type Operation } from "../operation.ts";
import { defineRoute } from "../route.ts";
import { assertOrigin, sendBy } from "../send.ts";
import type { weatherSettings } from "./config.ts";

type Settings = z.output<typeof weatherSettings>;
interface Client { http: HttpClient; looks: number }

const look = defineJob({
  name: "weather-look",
  description: "Looks at the weather",
  kind: "paced",
  service: "weather",
  enabled: ({ weather }) => weather.enabled,
  paceMs: ({ config }) => config.jobs["weather-look"].pause,
  async step({ services }) {
    await services.weather.http.request({ method: "GET", path: "/now", label: "GET /now" });
    services.weather.looks += 1;
  },
});

const get = defineOperationsOf<Facts>()({
  name: "weather.reports.get",
  service: "weather",
  effect: "read",
  idempotent: true,
  title: "The weather now",
  description: "Says how the weather is.",
  input: z.strictObject({}),
  request: (_input, { origin }) => ({
    ...{ method: "GET", origin, path: "/now", label: "GET /now", credential: NO_CREDENTIAL },
  }),
  output: ({ body }) => body,
});

function start(_base: Base): RunningService<Settings, Client> {
  let client: Client;
  let origin: string;
  return {
    ...KEEPS_NOTHING,
    connect({ settings, http }) {
      origin = settings.base_url;
      client = { looks: 0, http: http({ origin, timeoutMs: 5000 }) };
      return client;
    },
    facts: async () => ({ origin }),
    async send(request, sending) {
      assertOrigin(request, client.http.origin, NO_CREDENTIAL.kind);
      return await sendBy(client.http, request, sending);
    },
    describe: () => ({ note: "looked " + client.looks + " times" }),
    line: (state) => "Weather " + state,
    routes: [
      defineRoute({
        ...{ method: "GET", path: "/v1/weather/looks", operationId: "countLooks", tag: "views", query: z.strictObject({}) },
        summary: "How often it was looked at",
        answer: z.object({ looks: z.int() }),
        problems: [],
        handle: async () => ({ looks: client.looks }),
      }),
    ],
    metrics: [single("gauge", "nexusd_weather_looks", "Looks at the weather.", () => client.looks)],
  };
}

export const service: ServiceCode<Settings, Client> = {
  operations: [get as Operation],
  jobs: [look],
  start,
};
`,
};

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "nexusd-fourth-"));
  for (const part of ["src", "jobs", "package.json", "tsconfig.json", "docs"])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const folder = join(copy, "src/services/weather");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(FOLDER)) writeFileSync(join(folder, name), text);
  const list = join(copy, "src/services/list.ts");
  const [before = "", after = ""] = readFileSync(list, "utf8").split("[messaging, nex, nexus]");
  writeFileSync(
    list,
    `import { weather } from "./weather/module.ts";\n${before}[messaging, nex, nexus, weather]${after}`,
  );
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, args, { cwd: copy, env: { ...process.env, NO_COLOR: "1" } }).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );

describe("a folder and one line in the list", () => {
  test("compile", { timeout: 120_000 }, async () => {
    const config = { extends: "./tsconfig.json", include: ["src", "jobs"] };
    writeFileSync(join(copy, "tsconfig.copy.json"), JSON.stringify(config));
    expect(await run(join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.copy.json")).toBe("");
  });

  test("provide configuration, a job, an operation, a route, status, a metric, a probe and documentation", {
    timeout: 120_000,
  }, async () => {
    const server = await serve(json({ sky: "clear" }));
    const toml = join(copy, "nexusd.toml");
    writeFileSync(
      toml,
      `[daemon]\ndata_dir = "data"\n[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n` +
        `[weather]\nbase_url = "${server.origin}"\n[jobs.weather-look]\npause = "100ms"\n`,
    );
    writeFileSync(`${toml}.wrong`, `[weather]\nbase_url = 5\n[jobs.weather-look]\npaus = "1s"\n`);
    const wrong = await run("src/daemon/main.ts", "check", "--config", `${toml}.wrong`);
    expect(wrong).toContain("weather.base_url = 5");
    expect(wrong).toContain('jobs.weather-look.paus: is not a known key: did you mean "pause"?');

    const daemon = spawn(process.execPath, ["src/daemon/main.ts", "--config", toml], { cwd: copy });
    onTestFinished(() => void daemon.kill("SIGKILL"));
    const socket = (role: string) => join(copy, `data/${role}.sock`);
    const get = async (path: string, role = "agent") => await ask(socket(role), path);
    const status = await until(async () => {
      const answer = await get("/v1/status").catch(() => undefined);
      const now = answer && JSON.parse(answer.text);
      return now?.services.weather?.state === "ok" && now;
    }, "the service is ok");
    expect(status.services.weather.note).toMatch(/^looked \d+ times$/);
    expect(status.jobs).toContainEqual(expect.objectContaining({ name: "weather-look", state: "ok" }));
    expect(JSON.parse((await get("/v1/operations?service=weather")).text)).toMatchObject([
      { name: "weather.reports.get" },
    ]);
    expect(JSON.parse((await get("/v1/weather/looks")).text).looks).toBeGreaterThan(0);
    expect((await get("/openapi.json")).text).toContain('"countLooks"');
    expect((await get("/metrics", "operator")).text).toMatch(/^nexusd_weather_looks \d+$/m);

    const cli = (...args: string[]) => run("src/cli/main.ts", ...args, "--config", toml);
    expect(await cli("read", "weather.reports.get")).toContain("clear");
    expect(await cli("doctor")).toContain("says how the weather is");
    await run("docs/generate.ts");
    expect(readFileSync(join(copy, "docs/operations.md"), "utf8")).toContain("### weather.reports.get");
    expect(readFileSync(join(copy, "docs/metrics.md"), "utf8")).toContain("`nexusd_weather_looks`");
  });
});
