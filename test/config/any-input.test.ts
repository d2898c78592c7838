import { stringify } from "smol-toml";
import { expect, test } from "vitest";
import { ConfigError, formatProblem } from "../../src/config/error.ts";
import { inspectConfig } from "../../src/config/load.ts";
import fc from "../support/fc.ts";
import { tomlFile } from "./toml-file.ts";

type Table = { [key: string]: unknown };

const word = fc.string({ minLength: 20, maxLength: 40, unit: fc.constantFrom(..."abcdefXYZ0189+/=_-") });
const secret = fc.oneof(
  word.map((text) => `q7${text}`),
  word.map((text) => `sk-${text}`),
  fc
    .string({ minLength: 48, maxLength: 48, unit: fc.constantFrom(..."abcXYZ019") })
    .map((text) => `nxs_ak_${text}`),
  word.map((text) => `eyJhbGciOiJIUzI1NiIs.${text.replace(/[+/=]/g, "a")}.c2ln`),
);

const reference = { source: "env", id: "SOME_VARIABLE" };
const base = (): Table => ({
  daemon: { data_dir: "data", log_level: "info", log_format: "auto" },
  control: { agent_socket: "a.sock" },
  messaging: { base_url: "https://messaging.md", requests_per_minute: 100, sessions: [{ id: "aaaaaaaa" }] },
  nex: { enabled: true, api_key: { ...reference }, timeout: "120s" },
  nexus: {
    enabled: true,
    api_key: { source: "file", id: "/none" },
    anon_key: { source: "env", id: "OTHER" },
  },
  jobs: { directory: "jobs", "nexus-low-stock": { schedule: "* * * * *", per_sku: { a: 1 } } },
});

const anyValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom("30s", "* * * * *", "https://x", 0, -1, "", "\u001b[31m"),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") }),
  fc.array(fc.integer(), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.integer(), { maxKeys: 3 }),
);

/** Places where a person may mistakenly write a secret. */
const misplaced: ((config: Table, literal: string) => void)[] = [
  (config, literal) => set(config, ["nex", "api_key"], literal),
  (config, literal) => set(config, ["nexus", "anon_key"], [literal]),
  (config, literal) => set(config, ["nexus", "api_key"], { source: "env", id: literal }),
  (config, literal) => set(config, ["nexus", "api_key"], { source: "file", id: literal }),
  (config, literal) => set(config, ["nexus", "api_key"], { source: literal, id: "X" }),
  (config, literal) => set(config, ["nex", "token"], literal),
  (config, literal) => set(config, ["secret"], literal),
  (config, literal) => set(config, ["nex", "base_url"], `https://me:${literal}@app.nex.ai`),
  (config, literal) => set(config, ["nex", "base_url"], `https://me:${literal}app.nex.ai`),
];

function set(config: Table, path: string[], value: unknown): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) config[key] = value;
  else {
    config[key] ??= {};
    set(config[key] as Table, rest, value); // an invalid table throws, which the test counts as one change fewer
  }
}

const paths = [
  ["daemon"],
  ["daemon", "data_dir"],
  ["daemon", "log_level"],
  ["control", "agent_socket"],
  ["control", "operator_socket"],
  ["messaging", "sessions"],
  ["messaging", "requests_per_minute"],
  ["messaging", "reserve_per_minute"],
  ["nex", "enabled"],
  ["nex", "timeout"],
  ["jobs"],
  ["jobs", "retention"],
  ["jobs", "directory"],
  ["jobs", "nexus-low-stock"],
  ["jobs", "nexus-low-stock", "per_sku"],
  ["jobs", "nexus-low-stock", "schedule"],
  ["anything"],
];
const change = fc.tuple(fc.constantFrom(...paths), anyValue);
const slip = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.string({ maxLength: 2 }) });

test("any file gives a configuration or readable problems, and never shows a secret", () => {
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 4 }),
      fc.constantFrom(...misplaced),
      secret,
      fc.array(slip, { maxLength: 2 }),
      (changes, misplace, literal, slips) => {
        const config = base();
        misplace(config, literal);
        for (const [path, value] of changes)
          try {
            set(config, path, value);
          } catch {
            // A parent table was replaced by something else before.
          }
        let text = stringify(config);
        for (const { at, remove, insert } of slips) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + insert + text.slice(start + remove);
        }
        const { config: loaded, problems, secrets } = inspectConfig({ path: tomlFile(text), env: {} });
        const error = new ConfigError("f", problems);
        if (problems.length > 0) refused++;

        expect(loaded !== undefined || problems.length > 0).toBe(true);
        expect(Object.values(secrets)).toEqual([]);
        const shown = problems.map((problem) => formatProblem("f", problem));
        for (const line of shown) expect(line).toMatch(/^f(:\d+)?: [^\p{Cc}]+$/u);
        expect(JSON.stringify(problems) + error.message + error.stack + shown.join()).not.toContain(literal);
      },
    ),
    { numRuns: 400 },
  );
  expect(refused).toBeGreaterThan(100);
});
