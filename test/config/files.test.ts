import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SANDBOX_ENV, SANDBOX_PORTS, SANDBOX_SESSION_ID } from "../../sandbox/args.ts";
import { loadConfig } from "../../src/config/load.ts";
import { formatPath, keysAt, schemaAt } from "../../src/config/problems.ts";
import { configSchema } from "../../src/config/schema.ts";
import { ENV, REFERENCES } from "./toml-file.ts";

const annotated = readFileSync("config/nexusd.toml", "utf8");
const reference = readFileSync("docs/configuration.md", "utf8");

/** The TOML path of every key that takes a value. */
function keysBelow(path: string[] = []): string[] {
  const schema = schemaAt(path);
  if (schema instanceof z.ZodArray) {
    return [formatPath(path), ...keysAt([...path, "0"]).flatMap((key) => keysBelow([...path, "0", key]))];
  }
  if (!(schema instanceof z.ZodObject) || "source" in schema.shape) return [formatPath(path)];
  return Object.keys(schema.shape).flatMap((key) => keysBelow([...path, key]));
}

/** The keys of the file, including those in comments. */
function keysOf(toml: string): string[] {
  let table = "";
  return toml.split("\n").flatMap((line) => {
    const header = /^(?:# )?\[\[?([\w.-]+)\]\]?$/.exec(line)?.[1];
    if (header !== undefined) {
      table = header;
      // A record's keys are the user's own: it is shown as a whole.
      if (schemaAt(header.split(".")) instanceof z.ZodRecord) return [header];
    }
    const key = /^(?:# )?([a-z_]+) = /.exec(line)?.[1];
    return key === undefined ? [] : [`${table}.${key}`];
  });
}

describe("config/nexusd.toml", () => {
  test("shows the defaults: without it the configuration is the same", () => {
    expect(configSchema.parse(parse(annotated))).toEqual(configSchema.parse(parse(REFERENCES)));
  });

  test("shows every key", () => {
    const keys = keysBelow()
      .filter((key) => key !== "messaging.sessions" && key !== "sinks")
      .map((key) => key.replace(".0.", "."));
    // Keys shared by several kinds of a table are shown with each.
    expect([...new Set(keysOf(annotated))].sort()).toEqual(keys.sort());
  });

  test("can be copied and used, with its optional keys as well", () => {
    const uncommented = annotated.replace(/^# (?=\[\[|[a-z_]+ = )/gm, "");
    expect(configSchema.safeParse(parse(uncommented)).error).toBeUndefined();
    expect(uncommented).not.toBe(annotated);
    expect(loadConfig({ path: "config/nexusd.toml", env: ENV }).warnings).toEqual([]);
  });
});

test("docs/configuration.md has every key with its default", () => {
  const rows = new Map(
    [...reference.matchAll(/^\| `([a-z][^`]*)` +\| (.*?) +\|/gm)].map(([, key = "", fallback = ""]) => [
      key,
      fallback,
    ]),
  );
  const keys = keysBelow().map((key) => key.replace(".0.", "[]."));
  expect([...rows.keys()].sort()).toEqual(keys.sort());

  const raw: unknown = parse(annotated);
  for (const [path, fallback] of rows) {
    const value = path
      .split(".")
      .reduce<unknown>((table, key) => (table as Record<string, unknown> | undefined)?.[key], raw);
    const isReference = path.endsWith("_key");
    if (value !== undefined && !isReference) expect(fallback, path).toBe(`\`${JSON.stringify(value)}\``);
  }
});

test("config/sandbox.toml names the stand-ins, their session, and paces fast enough to watch", () => {
  const { config, secrets } = loadConfig({ path: "config/sandbox.toml", env: SANDBOX_ENV });
  expect(config.messaging.base_url).toBe(`http://127.0.0.1:${SANDBOX_PORTS.messaging}`);
  expect(config.nex.base_url).toBe(`http://127.0.0.1:${SANDBOX_PORTS.nex}`);
  expect(config.nexus.base_url).toBe(`http://127.0.0.1:${SANDBOX_PORTS.nexus}`);
  expect(config.messaging.sessions).toEqual([{ id: SANDBOX_SESSION_ID, alias: "workshop" }]);
  expect(config.jobs["nexus-pending-orders"].overdue_after).toBe(20_000);
  expect(secrets.nex?.api_key?.reveal()).toBe(SANDBOX_ENV.NEX_API_KEY);
});
