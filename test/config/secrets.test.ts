import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { format, inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { resolveSecret, Secret } from "../../src/config/secrets.ts";
import { ENV, linesOf, REFERENCES, tomlFile } from "./toml-file.ts";

const directory = mkdtempSync(join(tmpdir(), "nexusd-secrets-"));
const secretFile = (name: string, content: string, mode = 0o600) => {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

test("only reveal() prints a secret", () => {
  const secret = new Secret("the-value");
  const error = new Error(`${secret}`, { cause: secret });
  const printed = [
    String(secret),
    `${secret}`,
    `${secret}`.concat(""),
    JSON.stringify({ secret, list: [secret] }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ deep: { secret } }),
    format("%s %o %j", secret, secret, secret),
    inspect(error),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(structuredClone({ ...secret })),
  ].join("\n");
  expect(printed).not.toContain("the-value");
  expect(secret.reveal()).toBe("the-value");
});

test("a variable named like a property of every object counts as unset", () => {
  for (const id of ["constructor", "toString", "__proto__", "hasOwnProperty"])
    expect(() => resolveSecret({ source: "env", id }, process.env)).toThrow("is not set");
});

describe("a reference resolves", () => {
  test("to the environment, a file without its final line break, or a credential", () => {
    expect(resolveSecret({ source: "env", id: "K" }, { K: "the-value" }).reveal()).toBe("the-value");
    const path = secretFile("ok", "the-value\n");
    expect(resolveSecret({ source: "file", id: path }, {}).reveal()).toBe("the-value");
    const env = { CREDENTIALS_DIRECTORY: directory };
    expect(resolveSecret({ source: "credential", id: "ok" }, env).reveal()).toBe("the-value");
  });

  test("with a warning if others can read the file", () => {
    const path = secretFile("open", "the-value", 0o640);
    const { warnings } = loadConfig({
      path: tomlFile(REFERENCES.replace('"env", id = "NEX_API_KEY"', `"file", id = "${path}"`)),
      env: ENV,
    });
    expect(warnings).toEqual([
      { path: "nex.api_key", message: `the file ${path} can be read by others (mode 0640): chmod 600` },
    ]);
  });
});

describe("a dangling reference says what is missing", () => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  mkdirSync(join(directory, "folder"));
  const cases: [name: string, reference: string, env: Record<string, string>, message: RegExp][] = [
    ["variable not set", '"env", id = "MY_KEY"', {}, /variable MY_KEY is not set$/],
    ["variable empty", '"env", id = "MY_KEY"', { MY_KEY: "" }, /variable MY_KEY is empty$/],
    [
      "a variable too short",
      '"env", id = "MY_KEY"',
      { MY_KEY: "1234567" },
      /MY_KEY is too short to be a key: /,
    ],
    [
      "variable with a line break",
      '"env", id = "MY_KEY"',
      { MY_KEY: "a\nb" },
      /must hold one line of visible/,
    ],
    ["no such file", `"file", id = "${directory}/none"`, {}, /none does not exist$/],
    ["an empty file", `"file", id = "${secretFile("empty", "\n")}"`, {}, /empty is empty$/],
    ["a file of two lines", `"file", id = "${secretFile("two", "a\nb\n")}"`, {}, /must hold one line/],
    ["a directory", `"file", id = "${directory}/folder"`, {}, /is not a regular file$/],
    ["a FIFO that nobody writes", `"file", id = "${fifo}"`, {}, /is not a regular file$/],
    ["a very large file", `"file", id = "${secretFile("big", "x".repeat(70_000))}"`, {}, /is larger than/],
    ["no credentials directory", '"credential", id = "nex"', {}, /CREDENTIALS_DIRECTORY is not set/],
    ["no such credential", '"credential", id = "x"', { CREDENTIALS_DIRECTORY: directory }, /does not exist$/],
    [
      "a credential with a path",
      '"credential", id = "../x"',
      { CREDENTIALS_DIRECTORY: "/" },
      /without a path/,
    ],
  ];
  test.each(cases)("%s", (_name, reference, env, message) => {
    const lines = linesOf(`nex.api_key = { source = ${reference} }\nnexus.enabled = false`, env);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^f: nex\.api_key: /);
    expect(lines[0]).toMatch(message);
  });

  test("a missing reference of an enabled service, and how to do without it", () => {
    expect(linesOf("nexus.enabled = false")).toEqual([
      'f: nex.api_key: is missing: add a reference such as { source = "env", id = "NAME" }, never the secret itself; or set enabled = false',
    ]);
  });

  test("one secret for two keys, because a credential belongs to one service", () => {
    expect(linesOf(REFERENCES.replace("NEXUS_API_KEY", "NEX_API_KEY"))).toEqual([
      "f: nexus.api_key: must not refer to the same secret as nex.api_key: each key is a secret of its own",
    ]);
  });
});

describe("a secret written into the file is refused and not shown", () => {
  const literal = "q7Literal+Secret/Value==";
  const cases: [name: string, nex: string][] = [
    ["in place of the reference", `api_key = "${literal}"`],
    ["as the variable's name", `api_key = { source = "env", id = "${literal}" }`],
    ["as the file's name", `api_key = { source = "file", id = "${literal}" }`],
    ["as the credential's name", `api_key = { source = "credential", id = "${literal}" }`],
    ["as the source", `api_key = { source = "${literal}", id = "NEX_API_KEY" }`],
    [
      "under a key of its own in the reference",
      `api_key = { source = "env", id = "X", value = "${literal}" }`,
    ],
    ["in a list", `api_key = ["${literal}"]`],
    ["under an unknown key", `api_token = "${literal}"`],
    ["in an address", `base_url = "https://user:${literal}@app.nex.ai"`],
    ["in an address's query", `base_url = "https://app.nex.ai/?key=${literal}"`],
    ["once more in another place", `api_key = "${literal}"\ntimeout = "${literal}"`],
    ["without quotes", `api_key = ${literal}`],
    ["with a quote missing", `api_key = "${literal}`],
  ];
  test.each(cases)("%s", (_name, nex) => {
    const lines = linesOf(`[nexus]\nenabled = false\n[nex]\n${nex}\n`, {});
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("\n")).not.toContain(literal);
  });

  test("even a short one", () => {
    expect(linesOf("nex.api_key = 'q7'\nnexus.enabled = false")).toEqual([
      'f: nex.api_key: must be a reference such as { source = "env", id = "NAME" }, never the secret itself',
    ]);
  });

  test("even one that looks like a variable's name", () => {
    const key = `nxs_ak_${"abc".repeat(16)}`;
    expect(linesOf(`nex.api_key = { source = "env", id = "${key}" }\nnexus.enabled = false`)).toEqual([
      "f: nex.api_key: must name where the secret is, never hold the secret itself",
    ]);
  });
});
