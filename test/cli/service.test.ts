import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { execute } from "../../src/cli/service/execute.ts";
import { CONFIG, installation, PROGRAM, type Step, UNITS, wanted } from "../../src/cli/service/plan.ts";
import { type Program, packageRoot, programIn } from "../../src/cli/service/program.ts";
import { isDone } from "../../src/cli/service/state.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nexusd-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const sources = {
  unit: (name: string) => readFileSync(join(packageRoot(), "systemd", name), "utf8"),
  completion: (shell: string) => `${shell === "zsh" ? "#compdef nexusctl\n" : ""}# ${shell}\n`,
  home: PROGRAM,
  node: "/usr/bin/node",
};

/** A program of two files. */
function smallProgram(text = "first"): Program {
  const from = join(root, "checkout");
  const files = ["bin/nexusd", "package.json"].map((path) => {
    const source = join(from, path);
    mkdirSync(dirname(source), { recursive: true });
    writeFileSync(source, text);
    return { source, path, isExecutable: path.startsWith("bin/"), size: text.length };
  });
  return { from, files, home: ".", node: "/usr/bin/node" };
}

function steps(program: Program): Step[] {
  const { files, links } = wanted(sources);
  // Only root can give files to another user.
  const mine = files.filter(() => process.getuid?.() === 0);
  const copy: Step = { do: "copy", to: PROGRAM, from: program.from, files: program.files.length, bytes: 1 };
  return [copy, ...mine, ...links];
}

const perform = (all: Step[], program: Program, onStep: (step: Step) => void = () => {}) =>
  execute(all, { root, program, run: async () => "", onStep });
const pending = (program: Program) => steps(program).filter((step) => !isDone(step, root, program));

test("the units run the installed copy of the program, on the Node.js that came with it", () => {
  const service = wanted(sources).files.find(({ path }) => path.endsWith("/nexusd.service"));
  expect(service?.content).toContain(`\nExecStart=${PROGRAM}/bin/nexusd --config ${CONFIG}\n`);
  expect(service?.content).toContain("\nEnvironment=NEXUSD_NODE=/usr/bin/node\n");
  expect(service?.content).not.toContain("/usr/bin/nexusd");
});

test("finished steps are not repeated, and a newer program is installed", async () => {
  const program = smallProgram();
  await perform(steps(program), program);
  expect(statSync(join(root, PROGRAM, "bin/nexusd")).mode & 0o777).toBe(0o755);
  expect(pending(program)).toEqual([]);
  const newer = smallProgram("second, and longer");
  expect(pending(newer).map((step) => step.do)).toEqual(["copy"]);
  await perform(pending(newer), newer);
  expect(readFileSync(join(root, PROGRAM, "bin/nexusd"), "utf8")).toBe("second, and longer");
  expect(pending(newer)).toEqual([]);
});

test("if cut off after any step, the same command continues to the same end", async () => {
  const program = smallProgram();
  const all = steps(program);
  for (let cut = 0; cut <= all.length; cut++) {
    rmSync(join(root, "usr"), { recursive: true, force: true });
    rmSync(join(root, "etc"), { recursive: true, force: true });
    let done = 0;
    await perform(all, program, () => {
      if (done++ === cut) throw new Error("cut off");
    }).catch(() => {});
    // What an interrupted copy leaves behind.
    if (cut === 0) mkdirSync(join(root, `${PROGRAM}.new/bin`), { recursive: true });
    await perform(pending(program), program);
    expect(pending(program)).toEqual([]);
    expect(readdirSync(join(root, dirname(PROGRAM)))).toEqual(["nexusd"]);
  }
});

test("files that others put there are named and left unchanged", () => {
  const [unit] = wanted(sources).files;
  if (!unit) throw new Error("there are units");
  mkdirSync(dirname(join(root, unit.path)), { recursive: true });
  writeFileSync(join(root, unit.path), "[Unit]\n");
  expect(() => isDone(unit, root, smallProgram())).toThrow(/exists, and nexusctl did not write it/);
  expect(readFileSync(join(root, unit.path), "utf8")).toBe("[Unit]\n");
});

test("a service that runs the installed version is left alone; one that runs an old version is restarted with its sockets open", () => {
  const { config } = wanted(sources);
  const facts = { pending: [], hasUser: true, hasConfig: true, areEnabled: true, root: "/" };
  const service = { needsReload: false, isActive: true, isStale: false };
  expect(installation({ ...facts, service }, config)).toEqual([]);
  expect(installation({ ...facts, service: { ...service, isStale: true } }, config)).toEqual([
    { do: "run", command: ["systemctl", "restart", "nexusd.service"] },
  ]);
  const fresh = installation(
    {
      ...facts,
      hasUser: false,
      hasConfig: false,
      areEnabled: false,
      service: { ...service, isActive: false },
    },
    config,
  );
  expect(fresh.map((step) => (step.do === "run" ? step.command.slice(0, 2).join(" ") : step.do))).toEqual([
    "systemd-sysusers nexusd.conf",
    "write",
    "systemd-tmpfiles --create",
    "systemctl enable",
    "systemctl start",
    "systemctl restart",
  ]);
  expect(fresh).toContainEqual({ do: "run", command: ["systemctl", "enable", ...UNITS] });
});

test("the copy has everything that the program needs to run, and nothing that only its developers need", () => {
  const paths = programIn().files.map(({ path }) => path);
  const has = (part: string) => paths.some((path) => path.includes(part));
  for (const part of ["bin/nexusd", "better-sqlite3/", "undici/", "systemd/nexusd.service"])
    expect(has(part), part).toBe(true);
  for (const part of ["node_modules/vitest/", "node_modules/typescript/"])
    expect(has(part), part).toBe(false);
  expect(paths.filter((path) => path.startsWith("test/"))).toEqual([]);
  expect(paths.every((path) => existsSync(join(packageRoot(), path)))).toBe(true);
});
