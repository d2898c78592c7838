import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { findConfig } from "../../src/config/find.ts";
import { loadConfig } from "../../src/config/load.ts";
import { socketPaths } from "../../src/config/sockets.ts";
import { ENV, linesOf, problemsAt, problemsOf, REFERENCES, tomlFile } from "./toml-file.ts";

describe("the configuration file is found", () => {
  test("at the named path first, then at $NEXUSD_CONFIG, whether or not it exists", () => {
    const env = { NEXUSD_CONFIG: "/from/env.toml" };
    expect(findConfig("/from/flag.toml", env)).toBe("/from/flag.toml");
    expect(findConfig(undefined, env)).toBe("/from/env.toml");
  });

  test("else in the usual places of the machine and the working directory", () => {
    expect(findConfig(undefined, { NEXUSD_CONFIG: "" })).toMatch(/nexusd\.toml$/);
  });

  test("or the error lists where it was looked for", () => {
    const cwd = process.cwd();
    process.chdir(mkdtempSync(join(tmpdir(), "nexusd-empty-")));
    try {
      expect(() => findConfig(undefined, {})).toThrow(/config\/nexusd\.toml.*--config FILE/);
    } finally {
      process.chdir(cwd);
    }
  });
});

describe("a valid configuration", () => {
  test("loads with its defaults, its durations in milliseconds and its secrets", () => {
    const path = tomlFile(`${REFERENCES}\n[messaging]\nmax_staleness = "1.5m"\n`);
    const { config, secrets, warnings } = loadConfig({ path, env: ENV });
    expect(config.messaging.max_staleness).toBe(90_000);
    expect(config.jobs["nexus-pending-orders"].overdue_after).toBe(1_800_000);
    expect(secrets.nex?.api_key?.reveal()).toBe(ENV.NEX_API_KEY);
    expect(secrets.nexus?.anon_key?.reveal()).toBe(ENV.NEXUS_ANON_KEY);
    expect(socketPaths(config)).toEqual({ agent: "data/agent.sock", operator: "data/operator.sock" });
    expect(warnings).toEqual([]);
  });

  test("needs no secrets for disabled services", () => {
    expect(linesOf("nex.enabled = false\nnexus.enabled = false", {})).toEqual([]);
  });

  test("loads without its secrets if only its paths are needed", () => {
    const loaded = loadConfig({ path: tomlFile(REFERENCES), env: {}, resolveSecrets: false });
    expect(loaded.secrets).toEqual({});
  });

  test("for PostgreSQL needs its address and its key, and a key has 32 bytes", () => {
    const store = "[nex]\nenabled = false\n[nexus]\nenabled = false\n[store]\nkind = 'postgres'\n";
    expect(linesOf(store, {})).toEqual([
      expect.stringMatching(
        /^f: store\.url: is missing: add a reference such as .*, which kind = "postgres" needs$/,
      ),
      expect.stringMatching(/^f: store\.encryption_key: is missing: add a reference such as/),
    ]);
    const whole = `${store}url = { source = "env", id = "URL" }\nencryption_key = [{ source = "env", id = "ONE" }, { source = "env", id = "TWO" }]\n`;
    const env = {
      URL: "postgres://nexusd@db/nexusd",
      ONE: "11".repeat(32),
      TWO: Buffer.alloc(32, 2).toString("base64"),
    };
    expect(linesOf(whole, env)).toEqual([]);
    expect(linesOf(whole, { ...env, TWO: "too-short-a-key" })).toEqual([
      "f: store.encryption_key: must be 32 bytes in base64 or hexadecimal, such as: openssl rand -base64 32",
    ]);
  });

  test("accepts a schedule with the optional field for seconds", () => {
    expect(linesOf(`${REFERENCES}[jobs.retention]\nschedule = "*/3 * * * * *"`)).toEqual([]);
  });
});

describe("every kind of problem names the place, the value and what would be valid", () => {
  const cases: [name: string, toml: string, line: string | RegExp][] = [
    ["unknown table", "[extras]\nttl = '1h'", /^f: extras: is not a known key: known here: daemon, /],
    ["unknown key", "nex.api_token = 'x'", /^f: nex\.api_token: is not a known key: known here: enabled, /],
    [
      "misspelt key",
      "[daemon]\ndata_dri = 'x'",
      'f: daemon.data_dri: is not a known key: did you mean "data_dir"?',
    ],
    [
      "key in another spelling",
      "[daemon]\nlogLevel = 'x'",
      'f: daemon.logLevel: is not a known key: did you mean "log_level"?',
    ],
    [
      "unknown key that needs quotes",
      "[jobs]\n'my job' = {}",
      /^f: jobs\."my job": is not a known key: known here: directory, /,
    ],
    ["wrong type: table", "messaging = 5", "f: messaging = 5: must be a table"],
    [
      "wrong type: number",
      "[messaging]\nrequests_per_minute = '100'",
      'f: messaging.requests_per_minute = "100": must be a whole number',
    ],
    [
      "a fraction",
      "[messaging]\nrequests_per_minute = 1.5",
      "f: messaging.requests_per_minute = 1.5: must be a whole number",
    ],
    [
      "too small",
      "[messaging]\nrequests_per_minute = -1",
      "f: messaging.requests_per_minute = -1: must be more than 0",
    ],
    [
      "a port that is none",
      "[control]\nmetrics_port = 70000",
      "f: control.metrics_port = 70000: must be a port from 1 to 65535",
    ],
    [
      "not finite",
      "[jobs.nexus-low-stock]\nthreshold = nan",
      "f: jobs.nexus-low-stock.threshold = nan: must be a number",
    ],
    ["wrong type: boolean", "nex.enabled = 'yes'", 'f: nex.enabled = "yes": must be true or false'],
    [
      "wrong type: text",
      "[daemon]\ndata_dir = 1979-05-27",
      /^f: daemon\.data_dir = 1979-05-27.*: must be text in quotes/,
    ],
    ["wrong type: array", "[messaging]\nsessions = {}", "f: messaging.sessions = { … }: must be an array"],
    ["empty text", "[daemon]\ndata_dir = ''", 'f: daemon.data_dir = "": must not be empty'],
    [
      "not one of the words",
      "[daemon]\nlog_level = 'loud'",
      'f: daemon.log_level = "loud": must be "trace" or "debug" or "info" or "warn" or "error"',
    ],
    [
      "bad cron",
      "[jobs.retention]\nschedule = 'every day'",
      /^f: jobs\.retention\.schedule = "every day": must be a cron/,
    ],
    [
      "bad duration",
      "nex.timeout = '90 seconds'",
      /^f: nex\.timeout = "90 seconds": must be a duration such/,
    ],
    ["duration as a number", "nex.timeout = 90", /^f: nex\.timeout = 90: must be a duration in quotes/],
    [
      "address with a path",
      "nex.base_url = 'https://app.nex.ai/v1'",
      'f: nex.base_url = "https://app.nex.ai/…": must be an origin without path, query or user, such as "https://app.nex.ai"',
    ],
    [
      "address with a path and without https",
      "nex.base_url = 'http://example.com:8080/path'",
      /must be an origin without path, query or user, such as "https:\/\/example\.com:8080"$/,
    ],
    [
      "address with a path on this machine",
      "nex.base_url = 'http://localhost:8080/path'",
      /must be an origin without path, query or user, such as "http:\/\/localhost:8080"$/,
    ],
    [
      "address without https",
      "nex.base_url = 'http://app.nex.ai'",
      'f: nex.base_url = "http://app.nex.ai": must be https, because "app.nex.ai" is not this machine',
    ],
    ["no address", "nex.base_url = 'app.nex.ai'", /^f: nex\.base_url = "app\.nex\.ai": must be an origin/],
    [
      "a database of another kind",
      "store.kind = 'mysql'",
      'f: store.kind = "mysql": must be "sqlite" or "postgres"',
    ],
    [
      "an address in the file itself",
      "store.url = 'postgres://nexusd:correct-horse@db/nexusd'",
      /^f: store\.url.*must be a reference such as/,
    ],
    [
      "session without id",
      "[[messaging.sessions]]\nalias = 'a'",
      "f: messaging.sessions[0].id: is missing: must be text in quotes",
    ],
    [
      "session id",
      "[[messaging.sessions]]\nid = '0123456789 0123456789'",
      'f: messaging.sessions[0].id = "012345…": must be the session\'s id, as the service gave it',
    ],
    [
      "threshold of an article",
      "[jobs.nexus-low-stock.per_sku]\n'A 1' = 'x'",
      'f: jobs.nexus-low-stock.per_sku."A 1" = "x": must be a number',
    ],
    [
      "reserve beyond the budget",
      "[messaging]\nrequests_per_minute = 5",
      "f: messaging.reserve_per_minute = 10: must be less than requests_per_minute (5)",
    ],
    [
      "hysteresis the wrong way round",
      "[jobs.nexus-low-stock]\nrecover_above = 9",
      "f: jobs.nexus-low-stock.recover_above = 9: must not be less than threshold (10)",
    ],
    [
      "alias used twice",
      "[[messaging.sessions]]\nid = 'aaaaaaaa'\nalias = 'x'\n[[messaging.sessions]]\nid = 'bbbbbbbb'\nalias = 'x'",
      'f: messaging.sessions[1].alias = "x": must differ from the alias of the sessions before it',
    ],
    [
      "same socket for both",
      "[control]\nagent_socket = 'x.sock'\noperator_socket = './x.sock'",
      /^f: control\.operator_socket = "\.\/x\.sock": must be another path than agent_socket/,
    ],
    ...["nex.timeout", "nex.keepalive_timeout"].map((key): [string, string, string] => [
      `no time at all: ${key}`,
      `${key} = '0s'`,
      `f: ${key} = "0s": must be a duration from "1s" to "24h"`,
    ]),
    ["a time longer than a timer's", "nex.timeout = '30d'", /must be a duration from "1s" to "24h"$/],
    ...["messaging.max_staleness", "jobs.nexus-pending-orders.overdue_after"].map(
      (key): [string, string, string] => [
        `no time at all: ${key}`,
        `${key} = '999ms'`,
        `f: ${key} = "999ms": must be at least "1s"`,
      ],
    ),
    [
      "a retention that would empty the log",
      "jobs.retention.keep_events = '0s'",
      'f: jobs.retention.keep_events = "0s": must be at least "1h"',
    ],
    ["no time at all: approvals.ttl", "approvals.ttl = '0s'", /must be a duration from "1m" to "30d"$/],
    [
      "time to live beyond what makes sense",
      "[approvals]\nttl = '365d'",
      'f: approvals.ttl = "365d": must be a duration from "1m" to "30d"',
    ],
    [
      "pattern of no service",
      "[approvals.policy]\n'orders.*' = 'auto'",
      /^f: approvals\.policy\."orders\.\*" = "auto": is not the name of an operation or a pattern: known are "\*", /,
    ],
    [
      "pattern with a star in its middle",
      "[approvals.policy]\n'nexus.*.create' = 'auto'",
      /^f: approvals\.policy\."nexus\.\*\.create" = "auto": is not the name of an operation/,
    ],
    [
      "approval by nobody that is known",
      "[approvals.policy]\n'nexus.*' = 'ask'",
      'f: approvals.policy."nexus.*" = "ask": must be "operator", "auto", "deny", "signed", or { by = "signed", signers = ["NAME", …], quorum = N }',
    ],
    [
      "NUL in a path",
      '[daemon]\ndata_dir = "a\\u0000"',
      /^f: daemon\.data_dir = "a\\u0000": must be a path, without a NUL/,
    ],
  ];
  test.each(cases)("%s", (_name, toml, expected) => {
    const lines = linesOf(REFERENCES + toml);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toEqual(typeof expected === "string" ? expected : expect.stringMatching(expected));
  });

  test("a socket path too long for the system, whether given or derived from the data directory", () => {
    const long = "d".repeat(120);
    const [agent, operator] = problemsOf(`${REFERENCES}[daemon]\ndata_dir = "${long}"`);
    expect(agent).toMatchObject({
      path: "control.agent_socket",
      message: expect.stringContaining("has 131"),
    });
    expect(operator).toMatchObject({ path: "control.operator_socket" });
    const ok = `${REFERENCES}[control]\nagent_socket = "${"a".repeat(100)}"\noperator_socket = "b"`;
    expect(linesOf(ok)).toEqual([]);
  });

  test("a key that could change an object's prototype", () => {
    expect(linesOf("[jobs.nexus-low-stock.per_sku]\n__proto__ = 1")[0]).toMatch(/^f:2: is not TOML/);
  });
});

describe("an unreadable file", () => {
  test("is a problem, not a stack trace: absent, a directory, not text", () => {
    const directory = mkdtempSync(join(tmpdir(), "nexusd-config-"));
    expect(problemsAt(join(directory, "none.toml"))).toEqual([{ path: "", message: "does not exist" }]);
    expect(problemsAt(directory)).toEqual([{ path: "", message: "is a directory" }]);
    expect(problemsOf(Uint8Array.of(0x61, 0xff))).toEqual([
      { path: "", message: "must be a TOML file in UTF-8" },
    ]);
    expect(problemsOf("#".repeat(1_048_577))[0]?.message).toBe("is larger than 1048576 bytes");
  });

  test.skipIf(process.getuid?.() === 0)(
    "is reported if this user may not read it (needs a user who is not root)",
    () => {
      const path = tomlFile(REFERENCES);
      chmodSync(path, 0o000);
      expect(problemsAt(path)[0]?.message).toMatch(/^cannot be read by this user \(uid \d+\)$/);
    },
  );

  test("with a syntax error gives the line number and never the line", () => {
    const secret = "sk-literal-that-must-not-be-shown";
    let error: unknown;
    try {
      loadConfig({ path: tomlFile(`[nex]\nenabled = true\napi_key = ${secret}\n`), env: {} });
    } catch (thrown) {
      error = thrown;
    }
    if (!(error instanceof ConfigError)) throw new Error("must be refused");
    expect(error.problems).toEqual([
      { path: "", line: 3, message: expect.stringMatching(/^is not TOML: .*column \d+$/) },
    ]);
    expect(`${error} ${error.stack} ${JSON.stringify(error)}`).not.toContain(secret);
  });
});

test("all errors are reported at once", () => {
  const secrets = mkdtempSync(join(tmpdir(), "nexusd-secrets-"));
  mkdirSync(join(secrets, "a-directory"));
  writeFileSync(join(secrets, "empty"), "\n");
  const lines = linesOf(
    `surprise = true
[daemon]
log_level = "loud"
data_dir = "${"d".repeat(120)}"
[messaging]
requests_per_minute = 5
max_staleness = "soon"
colour = "red"
[[messaging.sessions]]
id = "aaaaaaaa"
alias = 5
[[messaging.sessions]]
id = "aaaaaaaa"
[nex]
timeout = 5
base_url = "ftp://x"
api_key = { source = "env", id = "NO_SUCH_VARIABLE" }
[nexus]
mcp = "no"
api_key = "nxs_ak_literal"
anon_key = { source = "file", id = "${secrets}/empty" }
[jobs.retention]
schedule = "nonsense"
`,
  );
  const paths = lines.map((line) => line.replace(/^f: /, "").split(/ = |: /, 1)[0]);
  expect(paths.sort()).toEqual(
    [
      "surprise",
      "daemon.log_level",
      "control.agent_socket",
      "control.operator_socket",
      "messaging.reserve_per_minute",
      "messaging.max_staleness",
      "messaging.colour",
      "messaging.sessions[0].alias",
      "messaging.sessions[1].id",
      "nex.timeout",
      "nex.base_url",
      "nex.api_key",
      "nexus.mcp",
      "nexus.api_key",
      "nexus.anon_key",
      "jobs.retention.schedule",
    ].sort(),
  );
});
