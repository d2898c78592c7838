// `[[sinks]]`: what is refused, and the correction in the error.

import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { ENV, linesOf, REFERENCES, tomlFile } from "./toml-file.ts";

const sink = (lines: string) => `[[sinks]]\n${lines}\n`;
const exec = (more = "", name = "agent", types = '["messaging.*"]') =>
  sink(`name = "${name}"\nkind = "exec"\ntypes = ${types}\ncommand = ["/bin/true"]\n${more}`);
const gateway = (more: string, name = "claw") =>
  sink(
    `name = "${name}"\nkind = "openclaw"\ntypes = ["*"]\ntoken = { source = "env", id = "CLAW_TOKEN" }\n${more}`,
  );
const CLAW = { ...ENV, CLAW_TOKEN: "claw-token-that-must-not-be-shown" };

test("a valid sink gets its defaults, and its consumer has its name", () => {
  const { config } = loadConfig({ path: tomlFile(REFERENCES + exec()), env: ENV });
  expect(config.sinks).toEqual([
    {
      ...{ name: "agent", kind: "exec", types: ["messaging.*"], consumer: "agent" },
      ...{ debounce: 2000, stuck_after: 600_000, max_wakes_per_hour: 20 },
      ...{ command: ["/bin/true"], timeout: 600_000, env: {}, pass_env: [] },
    },
  ]);
});

describe("invalid settings are refused", () => {
  const cases: [name: string, toml: string, line: string | RegExp][] = [
    [
      "types that are empty",
      exec("", "a", "[]"),
      /sinks\[0\]\.types = \[\]: must be the types of events that are worth a wake/,
    ],
    [
      "an unknown type",
      exec("", "a", '["messaging.mesage.received"]'),
      /types\[0\] = "messaging\.mesage\.received": is not an event type; did you mean nexusd\.messaging\.message\.received\?/,
    ],
    [
      "a type of no job",
      exec("", "a", '["shop.item.sold"]'),
      /types\[0\] = "shop\.item\.sold": is not an event type: nexusd has none like it/,
    ],
    [
      "no pattern",
      exec("", "a", '["messaging.**"]'),
      /types\[0\] = "messaging\.\*\*": must be an event type such as/,
    ],
    [
      "an unknown kind",
      sink('name = "a"\nkind = "exce"\ntypes = ["*"]'),
      /sinks\[0\]\.kind = "exce": must be "exec", "openclaw" or "webhook"$/,
    ],
    ["no kind", sink('name = "a"\ntypes = ["*"]'), /sinks\[0\]\.kind: must be "exec"/],
    [
      "an unknown key, with the nearest of its kind",
      exec("comand = 1"),
      /sinks\[0\]\.comand: is not a known key: did you mean "command"\?/,
    ],
    ["a key of another kind", exec('url = "https://a.example"'), /sinks\[0\]\.url: is not a known key/],
    ["a name with other characters", exec("", "My Agent"), /sinks\[0\]\.name = "My Agent": must be 1 to 64 /],
    ["two of one name", exec() + exec(), /sinks\[1\]\.name = "agent": is the name of another sink/],
    [
      "two of one consumer",
      exec() + exec('consumer = "agent"', "b"),
      /sinks\[1\]\.consumer = "agent": is the consumer of another sink/,
    ],
    [
      "a duration that is none",
      exec('debounce = "soon"'),
      /sinks\[0\]\.debounce = "soon": must be a duration/,
    ],
    [
      "stuck at once",
      exec('stuck_after = "1ms"'),
      /sinks\[0\]\.stuck_after = "1ms": must be a duration from "100ms" to "30d"/,
    ],
    [
      "no wakes at all",
      exec("max_wakes_per_hour = 0"),
      /sinks\[0\]\.max_wakes_per_hour = 0: must be at least 1/,
    ],
    [
      "a command as one text",
      sink('name = "a"\nkind = "exec"\ntypes = ["*"]\ncommand = "wake --now"'),
      /sinks\[0\]\.command = "wake --now": must be the command and its arguments/,
    ],
    [
      "an empty command",
      sink('name = "a"\nkind = "exec"\ntypes = ["*"]\ncommand = []'),
      /sinks\[0\]\.command = \[\]: must be the command and its arguments/,
    ],
    [
      "variables that nexusd sets",
      exec('env = { NEXUSD_SINK = "x" }'),
      /sinks\[0\]\.env: must not have NEXUSD_SINK/,
    ],
    [
      "the daemon's own variables",
      exec('pass_env = ["CREDENTIALS_DIRECTORY"]'),
      /sinks\[0\]\.pass_env: must not have CREDENTIALS_DIRECTORY/,
    ],
    [
      "a secret passed on by its variable",
      exec('pass_env = ["NEX_API_KEY"]'),
      /sinks\[0\]: must not pass on the variable that holds the secret of nex\.api_key/,
    ],
    ["a gateway without https", gateway('url = "http://claw.example"'), /sinks\[0\]\.url = .*https/],
    [
      "the secret of a service",
      gateway('url = "https://claw.example"').replace("CLAW_TOKEN", "NEX_API_KEY"),
      /sinks\[0\]\.token: must not refer to the same secret as nex\.api_key/,
    ],
    [
      "one secret for two servers",
      gateway('url = "https://a.example"') + gateway('url = "https://b.example"', "other"),
      /sinks\[1\]\.token: must not refer to the same secret as sinks\[0\]\.token/,
    ],
    [
      "a secret that is not there",
      gateway('url = "https://a.example"').replace("CLAW_TOKEN", "NOT_SET"),
      /sinks\[0\]\.token: the environment variable NOT_SET is not set/,
    ],
  ];

  test.each(cases)("%s", (_name, toml, line) => {
    expect(linesOf(REFERENCES + toml, CLAW).join("\n")).toMatch(line);
  });

  test("a secret instead of a reference, without showing it", () => {
    const lines = linesOf(
      `${REFERENCES}${gateway('url = "https://a.example"').replace(/token = .*/, 'token = "claw-literal-secret-1"')}`,
    );
    expect(lines.join("\n")).toMatch(/sinks\[0\]\.token: must be a reference/);
    expect(lines.join("\n")).not.toContain("claw-literal-secret-1");
  });
});

test("two agents of one gateway may share a token", () => {
  const toml =
    gateway('url = "https://a.example"\nagent_id = "one"') +
    gateway('url = "https://a.example"\nagent_id = "two"', "other");
  expect(linesOf(REFERENCES + toml, CLAW)).toEqual([]);
  const { secrets } = loadConfig({ path: tomlFile(REFERENCES + toml), env: CLAW });
  expect(secrets["sinks.claw"]?.token?.reveal()).toBe(CLAW.CLAW_TOKEN);
  expect(secrets["sinks.other"]?.token?.reveal()).toBe(CLAW.CLAW_TOKEN);
});
