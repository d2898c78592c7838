// The completions that real shells offer, with the scripts printed by nexusctl.

import { execFile, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wholeProgram } from "../../src/cli/commands.ts";
import { createFakeDaemon, type FakeDaemon, runHere } from "../support/cli.ts";
import { COMPILE_CACHE } from "../support/compile-cache.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const OPERATIONS = [
  { name: "nexus.stock.get", effect: "read", title: "Stock of an item: now" },
  { name: "nexus.orders.list", effect: "read", title: "Orders" },
  { name: "nexus.mcp.$(touch x)", effect: "read", title: "a name from a service" },
  { name: "nexus.orders.update_status", effect: "write", title: "Set the status" },
];

let daemon: FakeDaemon;
let script: Record<string, string>;

beforeAll(async () => {
  daemon = createFakeDaemon();
  daemon.override = (request, response) => {
    const url = new URL(request.url ?? "/", "http://nexusd");
    if (url.pathname !== "/v1/operations") return false;
    const effect = url.searchParams.get("effect");
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(OPERATIONS.filter((one) => !effect || one.effect === effect)));
    return true;
  };
  await daemon.start();
  const { NODE_COMPILE_CACHE } = COMPILE_CACHE;
  writeFileSync(
    join(daemon.dir, "nexusctl"),
    `#!/bin/sh\nNODE_COMPILE_CACHE='${NODE_COMPILE_CACHE}' exec '${process.execPath}' '${MAIN}' "$@"\n`,
  );
  chmodSync(join(daemon.dir, "nexusctl"), 0o755);
  mkdirSync(join(daemon.dir, "files", "backups"), { recursive: true });
  writeFileSync(join(daemon.dir, "files", "my backup.db"), "");
  script = {};
  for (const shell of ["bash", "zsh", "fish"]) {
    script[shell] = join(daemon.dir, shell === "zsh" ? "_nexusctl" : `nexusctl.${shell}`);
    writeFileSync(script[shell], (await runHere(["completion", shell])).stdout);
  }
});
afterAll(() => daemon.remove());

async function sh(program: string, args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    cwd: join(daemon.dir, "files"),
    env: {
      PATH: `${daemon.dir}:${process.env.PATH}`,
      NEXUSD_AGENT_SOCKET: daemon.socket,
      HOME: daemon.dir,
      TERM: "dumb",
    },
    timeout: 20_000,
  });
  expect(stderr).toBe("");
  return stdout;
}

type Words = (...words: string[]) => Promise<string[]>;

/** The text after the last word is to be completed. A word "=" stands alone only if the shell splits it. */
const offers: Record<string, Words> = {
  async bash(...words) {
    const split = words.flatMap(
      (word) => /^(--[^=]+)(=)(.*)$/.exec(word)?.slice(1).filter(Boolean) ?? [word],
    );
    const code = `source "$1"; shift; COMP_WORDS=(nexusctl "$@"); COMP_CWORD=$#; _nexusctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return lines(await sh("bash", ["--norc", "-uc", code, "bash", script.bash ?? "", ...split]));
  },
  // The functions of its completion system are stubbed: they work only inside its line editor.
  async zsh(...words) {
    const code = `
      compdef() { }
      compset() { PREFIX=\${words[CURRENT]#*=} }
      compadd() { shift; print -rl -- \${(M)@:#$PREFIX*} }
      _describe() { [[ $1 == -o ]] && shift; print -rl -- \${(M)\${(P)2}:#$PREFIX*} }
      _files() { if [[ \${1-} == -/ ]]; then print -rl -- *(/); else print -rl -- *; fi }
      source $1; shift; words=(nexusctl "$@"); CURRENT=$#words; PREFIX=$words[CURRENT]
      _nexusctl || true`;
    const found = lines(await sh("zsh", ["-fuc", code, "zsh", script.zsh ?? "", ...words]));
    return found.map((line) => line.replace(/:.*/, ""));
  },
  async fish(...words) {
    const line = ["nexusctl", ...words].map((word) => word.replaceAll(" ", "\\ ")).join(" ");
    const code = `source $argv[1]; complete -C $argv[2]`;
    const found = lines(await sh("fish", ["--no-config", "-c", code, script.fish ?? "", line]));
    return found.map((one) =>
      one
        .replace(/\t.*/, "")
        .replace(/^--\w+=/, "")
        .replace(/\/$/, ""),
    );
  },
};

const lines = (text: string) => text.split("\n").filter(Boolean);

for (const shell of ["bash", "zsh", "fish"]) {
  const isHere = spawnSync(shell, ["--version"]).status === 0;
  const complete: Words = (...words) => offers[shell]?.(...words) ?? Promise.resolve([]);

  describe.skipIf(!isHere)(isHere ? shell : `${shell}, which is not installed`, () => {
    it.each([
      [["writ"], ["write", "writes"]],
      [["writes", "a"], ["approve"]],
      [
        ["--json", "writes", "re"],
        ["reject", "resolve"],
      ],
      [["writes", "--st"], ["--state"]],
      [["writes", "list", "--state", "pro"], ["proposed"]],
      [["writes", "list", "--state=pro"], ["proposed"]],
      [
        ["operations", "--service", "nex"],
        ["nex", "nexus"],
      ],
      [["operations", "--service", "nex", "--eff"], ["--effect"]],
      [["writes", "resolve", "01ABC", "--outcome", "f"], ["failed"]],
      [["--config", "writes", "jobs", "p"], ["pause"]],
      [["help", "mess"], ["messaging"]],
      [["completion", "b"], ["bash"]],
      // What cannot be known is not guessed, and no file is offered instead.
      [["writes", "list", "--limit", ""], []],
      [["writes", "approve", "01ABC", ""], []],
      [["status", ""], []],
    ])("after %j it offers %j", async (words, expected) => {
      expect((await complete(...words)).sort()).toEqual(expected);
    });

    it("offers files where a file is expected, and only directories where a directory is", async () => {
      expect((await complete("restore", "")).sort()).toEqual(["backups", "my backup.db"]);
      expect(await complete("restore", "x.db", "--data-dir", "")).toEqual(["backups"]);
    });

    it("asks the daemon named on the command line for matching operations", async () => {
      expect((await complete("read", "")).sort()).toEqual(["nexus.orders.list", "nexus.stock.get"]);
      expect(await complete("write", "nexus.")).toEqual(["nexus.orders.update_status"]);
      expect(await complete("operations", "show", "nexus.o")).toEqual([
        "nexus.orders.list",
        "nexus.orders.update_status",
      ]);
      expect(await complete("--socket", join(daemon.dir, "none.sock"), "read", "")).toEqual([]);
    });
  });
}

// Inside its own line editor zsh sets options that are not set when the functions above are called.
const hasTerminal = ["zsh", "script"].every((program) => spawnSync(program, ["--version"]).status === 0);

describe.skipIf(!hasTerminal)("zsh, at a terminal of its own (needs zsh and script)", () => {
  it.each(["a file of its function path", "a file that is sourced"])("completes with %s", async (how) => {
    const terminal = spawn("script", ["-qfc", "zsh -fi", "/dev/null"], {
      env: { PATH: process.env.PATH, TERM: "dumb", PS1: "> ", HOME: daemon.dir },
    });
    try {
      let screen = "";
      const shows = (text: string) =>
        new Promise<void>((resolve) => {
          const look = () => {
            if (!screen.includes(text)) return;
            terminal.stdout.off("data", look);
            resolve();
          };
          terminal.stdout.on("data", look);
          look();
        });
      terminal.stdout.setEncoding("utf8").on("data", (chunk: string) => (screen += chunk));
      await shows("> ");
      const [path, then] = how.includes("path") ? [`${daemon.dir} `, ""] : ["", `. ${script.zsh}; `];
      terminal.stdin.write(
        `fpath=(${path}$fpath); autoload -Uz compinit; compinit -u -D; ${then}print -r rea''dy\n`,
      );
      await shows("ready");
      terminal.stdin.write("nexusctl writes list --st\t");
      await shows("--state ");
      terminal.stdin.write("propo\t");
      await shows("proposed ");
    } finally {
      terminal.kill("SIGKILL");
    }
  });
});

/** The program's own answer to a shell. */
const asked = async (...words: string[]) => (await runHere(["__complete", ...words])).stdout;

describe("the shell's request for words", () => {
  it("is answered with every command and every option, at any position", async () => {
    const visit = async (command: Command, path: string[]): Promise<void> => {
      const help = command.createHelp();
      const options = await asked(...path, "-");
      for (const option of help.visibleOptions(command))
        if (option.long !== "--version") expect(options).toContain(`\n${option.long}\t`);
      const subcommands = help.visibleCommands(command).filter((one) => one.name() !== "help");
      const commands = await asked(...path, "");
      for (const one of subcommands) {
        expect(commands).toContain(`\n${one.name()}\t`);
        await visit(one, [...path, one.name()]);
      }
    };
    await visit(await wholeProgram(), []);
  });

  it("is answered with the options of the default command if none is named", async () => {
    expect(await asked("operations", "-")).toContain("\n--effect\t");
  });

  it("is never taken for an option itself, whatever it looks like", async () => {
    expect(await asked("help", "mess")).toMatch(/^words\nmessaging\t/);
    expect(await asked("--version", "stat")).toMatch(/^words\nstatus\t/);
    expect(await asked("writes", "--help", "li")).toMatch(/^words\nlist\t/);
    expect(await asked()).toMatch(/^words\n/);
  });

  it("completes the value of an option, in either spelling, from the daemon that the line names", async () => {
    expect(await asked("writes", "list", "--state=pro")).toBe("words\nproposed\t\n");
    expect(await asked("writes", "list", "--state", "=", "pro")).toBe("words\nproposed\t\n");
    const names = "words\nnexus.stock.get\tStock of an item: now\nnexus.orders.list\tOrders\n";
    expect(await asked("--socket", daemon.socket, "read", "")).toBe(names);
    expect(await asked(`--socket=${daemon.socket}`, "read", "")).toBe(names);
  });

  it("is answered with nothing, quickly and without an error, if the daemon is absent or does not answer", async () => {
    const silent = createServer(() => {}).listen(join(daemon.dir, "silent.sock"));
    try {
      const begun = performance.now();
      for (const socket of ["none.sock", "silent.sock"])
        expect(
          await runHere(["__complete", "--socket", join(daemon.dir, socket), "jobs", "run", ""]),
        ).toEqual({
          ...{ code: 0, stdout: "words\n", stderr: "" },
        });
      expect(performance.now() - begun).toBeLessThan(5000);
    } finally {
      silent.close();
    }
  });
});
