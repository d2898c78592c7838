// The man pages hold what --help says, whatever characters it contains.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { manPages } from "../../docs/man.ts";
import { item, paragraph, render, roff, section, subsection, texts } from "../../docs/roff.ts";
import { wholeProgram } from "../../src/cli/commands.ts";
import { visible } from "../../src/core/text/visible.ts";
import { OPTIONS } from "../../src/daemon/usage.ts";
import fc from "../support/fc.ts";

const pages = await manPages("2026-01-02");
const plain = (page: string) => page.replaceAll("\\-", "-").replaceAll("\\%", "").replaceAll("\\&", "");

test("every command has a page, with every subcommand and option in it", async () => {
  const program = await wholeProgram();
  const root = plain(pages.get("nexusctl.1") ?? "");
  for (const { flags } of program.options) expect(root).toContain(flags);
  const check = (command: Command, page: string, path: string) => {
    expect(page).toContain(path);
    expect(page).toContain(plain(paragraph(command.description())));
    for (const { flags } of command.options) expect(page).toContain(flags);
    for (const argument of command.registeredArguments) expect(page).toContain(argument.name());
    for (const one of command.createHelp().visibleCommands(command))
      if (one.name() !== "help") check(one, page, `${path} ${one.name()}`);
  };
  for (const command of program.commands) {
    expect(root).toContain(command.name());
    check(command, plain(pages.get(`nexusctl-${command.name()}.1`) ?? ""), command.name());
  }
  const daemon = plain(pages.get("nexusd.8") ?? "");
  for (const option of Object.keys(OPTIONS)) expect(daemon).toContain(`--${option}`);
});

test("the page says what a command does without a subcommand", () => {
  expect(pages.get("nexusctl-operations.1")).toContain(
    "list the operations; the one that is meant where none is named",
  );
});

test("the configuration page has every key of the annotated default, with its table", () => {
  const page = plain(pages.get("nexusd.toml.5") ?? "");
  for (const text of [
    "[messaging]",
    "[[messaging.sessions]]",
    "[approvals.policy]",
    "max_events = 1000000",
    "requests_per_minute = 100",
  ])
    expect(page).toContain(text);
});

// Text that roff, or a terminal, would interpret.
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(...`\\.'"-~^\`(){}[]$%&*fBe \n\t\x07\x1b`), maxLength: 30 }),
  fc.constantFrom(
    ".so /etc/passwd",
    "'br",
    "\\X'tty: link'",
    '" .TH X',
    "\\",
    "\\n[.g]",
    "…",
    "é漢🙂",
    '.\\"',
    " .de",
  ),
);
const ESCAPE = /\\(?:[e\-&%]|\((?:aq|dq|ga|ha|ti)|\[u[0-9A-F]{4,6}\]|f[BR])/g;
const MACRO = /^\.(?:TH|SH|SS|TP|PP|EX|EE|br|ad|BR)(?: |$)/;

test("any text in a page stays plain text", () => {
  fc.assert(
    fc.property(
      fc.array(hostile, { minLength: 4, maxLength: 8 }),
      ([a = "", b = "", c = "", d = "", ...rest]) => {
        const body = [
          section(a),
          subsection(b),
          item(c, d),
          ...texts(rest.map((line) => line)),
          paragraph(a),
        ];
        const page = render({ name: a, section: 1, summary: b, body }, c, "2026-01-02");
        for (const line of page.split("\n")) {
          expect(line).toMatch(/^[\x20-\x7e]*$/);
          expect(line.replace(ESCAPE, "")).not.toContain("\\");
          if (/^[.']/.test(line)) expect(line).toMatch(MACRO);
        }
        // The only quotes that are left are those around an argument.
        for (const line of page.split("\n").filter((one) => /^\.S[HS]/.test(one)))
          expect(line).toMatch(/^\.S[HS] "[^"]*"$/);
      },
    ),
  );
});

const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;

test.skipIf(!has("groff", "--version"))(
  "groff prints the given text, character by character (needs groff)",
  () => {
    const strings = fc.sample(fc.oneof(hostile, fc.string({ unit: "binary-ascii" })), {
      numRuns: 300,
      seed: 7,
    });
    const source = strings.map((text) => `x\n.br\n${roff(text)}x\n.br`).join("\n");
    // Neither filled nor cut; without colours and overstriking.
    const printed = execFileSync("groff", ["-Tutf8", "-P-cbou", "-ww"], {
      input: `.pl 100000\n.ll 1000\n.nf\n.nh\n${source}\n`,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"], // glyphs that no terminal has are said to be missing
    });
    // Without its man macros groff draws \- as a minus; characters that it composes or lacks are left out of the
    // comparison.
    const ascii = (text: string) =>
      text
        .replaceAll("\u2212", "-")
        .normalize("NFD")
        .replace(/[^\x20-\x7e]/gu, "");
    const lines = printed.split("\n");
    for (const [index, text] of strings.entries())
      expect(ascii(lines[2 * index + 1] ?? "")).toBe(ascii(`${visible(text).replaceAll("…", "...")}x`));
  },
);

test.skipIf(!has("man", "--version"))(
  "man has no warnings for a page, in UTF-8 and in ASCII (needs man)",
  () => {
    const directory = mkdtempSync(join(tmpdir(), "nexusd-man-"));
    try {
      for (const [name, text] of pages) writeFileSync(join(directory, name), text);
      for (const LC_ALL of ["C.UTF-8", "C"])
        for (const name of ["nexusctl.1", "nexusctl-messaging.1", "nexusd.8", "nexusd.toml.5"]) {
          const { stdout, stderr } = spawnSync("man", ["--warnings", "-l", join(directory, name)], {
            env: { PATH: process.env.PATH, LC_ALL, MANROFFOPT: "-ww" },
            encoding: "utf8",
          });
          expect(stderr).toBe("");
          expect(stdout).toContain("SYNOPSIS");
        }
      for (const name of readdirSync(directory)) {
        const { error, status, stdout } = spawnSync(
          "mandoc",
          ["-Tlint", "-Wwarning", join(directory, name)],
          { encoding: "utf8" },
        );
        if (error === undefined) expect({ name, status, stdout }).toMatchObject({ status: 0 });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  30_000,
);
