// The skill and the MCP entry in the places of runtimes: everything else in their files stays unchanged.

import { lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { setMember } from "../../src/cli/skill/edit.ts";
import { plainOf, scan } from "../../src/cli/skill/json5.ts";
import { runCli } from "../support/cli.ts";
import fc from "../support/fc.ts";
import { temporaryDirectory } from "../support/store.ts";

const SKILL = readFileSync(new URL("../../docs/skills/nexusd/SKILL.md", import.meta.url), "utf8");
const COMMAND = new URL("../../bin/nexusctl", import.meta.url).pathname;

test("the skill keeps within the limits of the format", () => {
  const [, head = "", body = ""] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(SKILL) ?? [];
  const fields = Object.fromEntries(head.split("\n").map((line) => line.split(/: (.*)/).slice(0, 2)));
  expect(Object.keys(fields)).toEqual(["name", "description"]);
  expect(fields.name).toBe("nexusd");
  expect(fields.name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  expect(fields.description.length).toBeGreaterThan(50);
  expect(fields.description.length).toBeLessThanOrEqual(1024);
  expect(head).not.toMatch(/[<>]|: .*: /);
  expect(SKILL.trimEnd().split("\n").length).toBeLessThanOrEqual(120);
  for (const rule of ["after the work, not before", "never an instruction", "Never repeat it", "`reason`"])
    expect(body).toContain(rule);
});

describe("a member is set, and every other character is unchanged", () => {
  test.each([
    ["", '{\n  "a": {\n    "b": 1\n  }\n}\n'],
    ["{}", '{\n  "a": {\n    "b": 1\n  }\n}'],
    ['{"x": 1}', '{"x": 1, "a": {\n  "b": 1\n}}'],
    ['{\n\t"x": 1\n}\n', '{\n\t"x": 1,\n\t"a": {\n\t\t"b": 1\n\t}\n}\n'],
    ["{\n  x: 1, // why\n}\n", '{\n  x: 1, // why\n  "a": {\n    "b": 1\n  },\n}\n'],
    ["{\n  x: 1 // why\n}\n", '{\n  x: 1, // why\n  "a": {\n    "b": 1\n  }\n}\n'],
    ["{ // only this\n}", '{ // only this\n  "a": {\n    "b": 1\n  }\n}'],
    ["{\n  a: { b: 2, /* c */ 'c': 3 },\n}", "{\n  a: { b: 1, /* c */ 'c': 3 },\n}"],
    ["{\n  'a': {},\n}", "{\n  'a': {\n    \"b\": 1\n  },\n}"],
    ['{\r\n  "x": 1\r\n}\r\n', '{\r\n  "x": 1,\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}\r\n'],
    ["{ a: { b: 1 } } // done", "{ a: { b: 1 } } // done"],
  ])("%j", (before, after) => {
    expect(setMember(before, ["a", "b"], 1)).toBe(after);
    expect(setMember(after, ["a", "b"], 1)).toBe(after);
  });

  test("in any JSON, whatever its layout", () => {
    const layout = fc.constantFrom(undefined, 1, 2, 4, "\t");
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), layout, (whole, key, indent) => {
        const before = JSON.stringify(whole, null, indent);
        const after = setMember(before, [key], { command: "x" });
        const parsed = JSON.parse(before);
        expect(JSON.parse(after)).toEqual({ ...parsed, [key]: { command: "x" } });
        expect(plainOf(scan(after))).toEqual(JSON.parse(after));
        expect(setMember(after, [key], { command: "x" })).toBe(after);
      }),
    );
  });

  test("an invalid configuration is refused, with the line", () => {
    expect(() => setMember('{\n  "a": ,\n}', ["a"], 1)).toThrow("line 2 is not JSON");
    expect(() => setMember('{ "a": 5 }', ["a", "b"], 1)).toThrow("a");
    expect(() => setMember("[]", ["a"], 1)).toThrow("the file");
  });
});

describe("skill install", () => {
  let home: string;
  beforeEach(() => {
    home = temporaryDirectory();
  });
  const install = (...args: string[]) =>
    runCli(["--socket", "/run/nexusd/agent.sock", "skill", "install", ...args], { HOME: home });
  const read = (...path: string[]) => readFileSync(join(home, ...path), "utf8");
  const args = (consumer: string) => ["--socket", "/run/nexusd/agent.sock", "mcp", "--consumer", consumer];

  test("changes nothing without --yes, and shows what it would change", async () => {
    const { code, stdout, stderr } = await install("--claude-code");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "nexusctl: nothing was changed; --yes does it\n" });
    const { changes, done } = JSON.parse(stdout);
    expect(done).toBe(false);
    expect(changes.map(({ path }: { path: string }) => path)).toEqual([
      join(home, ".claude/skills/nexusd/SKILL.md"),
      join(home, ".claude.json"),
    ]);
    expect(changes[1].diff.join("\n")).toContain('+    "nexusd": {');
    expect(() => read(".claude.json")).toThrow("ENOENT");
  });

  test("installs the skill and the entry for Claude Code, once", async () => {
    writeFileSync(join(home, ".claude.json"), '{\n  "theme": "dark",\n  "mcpServers": {}\n}\n', {
      mode: 0o640,
    });
    expect((await install("--claude-code", "--yes")).code).toBe(0);
    expect(read(".claude/skills/nexusd/SKILL.md")).toBe(SKILL);
    expect(JSON.parse(read(".claude.json"))).toEqual({
      theme: "dark",
      mcpServers: { nexusd: { command: COMMAND, args: args("claude-code") } },
    });
    expect(statSync(join(home, ".claude.json")).mode & 0o777).toBe(0o640);
    const again = await install("--claude-code", "--yes");
    expect(JSON.parse(again.stdout)).toEqual({ changes: [], done: true });
  });

  test("keeps comments, keys and the user's own part of the entry in OpenClaw's JSON5, through a symbolic link", async () => {
    mkdirSync(join(home, ".openclaw"));
    const config = [
      "// my gateway",
      "{",
      "  agents: { list: [{ id: 'main', }] }, // one",
      "  mcp: {",
      "    servers: {",
      "      nexusd: { env: { A: 'b' }, args: ['old'], command: 'nexusctl' },",
      "      other: { command: 'x' }, /* keep */",
      "    },",
      "  },",
      "}",
      "",
    ].join("\n");
    writeFileSync(join(home, "dotfile"), config);
    symlinkSync(join(home, "dotfile"), join(home, ".openclaw/openclaw.json"));
    expect((await install("--openclaw", "--consumer", "claw", "--yes")).code).toBe(0);
    const after = read("dotfile");
    expect(lstatSync(join(home, ".openclaw/openclaw.json")).isSymbolicLink()).toBe(true);
    expect(plainOf(scan(after))).toEqual({
      agents: { list: [{ id: "main" }] },
      mcp: {
        servers: {
          nexusd: { env: { A: "b" }, args: args("claw"), command: COMMAND },
          other: { command: "x" },
        },
      },
    });
    for (const kept of ["// my gateway", "[{ id: 'main', }] }, // one", "/* keep */", "env: { A: 'b' }"])
      expect(after).toContain(kept);
  });

  test("copies into a directory for any other runtime", async () => {
    expect((await install("--dir", join(home, "skills"), "--yes")).code).toBe(0);
    expect(read("skills/nexusd/SKILL.md")).toBe(SKILL);
    expect(JSON.parse(read("skills/nexusd/mcp.json")).mcpServers.nexusd.args).toEqual(args("agent"));
  });

  test("leaves a configuration that it cannot read unchanged, and everything else too", async () => {
    writeFileSync(join(home, ".claude.json"), "{ broken");
    const { code, stdout } = await install("--claude-code", "--yes");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "invalid_config",
      detail: expect.stringContaining("line 1 is not JSON. Nothing was changed."),
    });
    expect(read(".claude.json")).toBe("{ broken");
    expect(() => read(".claude/skills/nexusd/SKILL.md")).toThrow("ENOENT");
  });

  test("needs a runtime", async () => {
    expect((await install("--yes")).code).toBe(2);
  });
});
