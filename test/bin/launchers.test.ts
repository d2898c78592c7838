import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const scratch = () => realpathSync(mkdtempSync(join(tmpdir(), "nexusd-bin-")));

function put(path: string, content = "", mode = 0o644): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** A Node.js that prints its version, its name and what it was asked to run. */
const fakeNode = (path: string, version: string) =>
  put(
    path,
    `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo "${version} runs $*"; fi\n`,
    0o755,
  );

/** A package with the real launchers, in its own directory. */
function fakePackage(
  directory: string,
  entries: string[] = ["src/daemon/main.ts", "src/cli/main.ts"],
): string {
  cpSync("bin", join(directory, "bin"), { recursive: true });
  for (const entry of entries) put(join(directory, entry));
  return directory;
}

/** A PATH with only the tools that the launchers need, plus optionally a Node.js of this version. */
function pathWith(version?: string): string {
  const directory = join(scratch(), "path");
  mkdirSync(directory);
  for (const tool of ["sh", "cat", "dirname", "readlink"])
    symlinkSync(
      execFileSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim(),
      join(directory, tool),
    );
  if (version !== undefined) fakeNode(join(directory, "node"), version);
  return directory;
}

async function launch(program: string, env: Record<string, string>, args: string[] = []) {
  try {
    return { code: 0, ...(await run(program, args, { env })) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }; // what execFile rejects with
  }
}

/** Those of the daemon. */
const FLAGS = "--max-semi-space-size=2 --heap-growing-percent=25 --no-allocation-site-pretenuring";

describe("the Node.js on PATH is used if it is new enough", () => {
  const directory = fakePackage(scratch());
  fakeNode(join(directory, "node_modules/node/bin/node"), "v26.1.0");
  test.each([
    ["v22.19.0", "v22.19.0"],
    ["v23.0.0", "v23.0.0"],
    ["v24.11.1-nightly", "v24.11.1-nightly"],
    ["v100.2.3", "v100.2.3"],
    ["v22.18.9", "v26.1.0"],
    ["v20.20.2", "v26.1.0"],
    ["v8.99.0", "v26.1.0"],
    ["nonsense", "v26.1.0"],
    [undefined, "v26.1.0"],
  ])("%s on PATH: %s runs", async (onPath, expected) => {
    const { stdout } = await launch(join(directory, "bin/nexusd"), { PATH: pathWith(onPath) }, [
      "--config",
      "a b",
    ]);
    expect(stdout).toBe(
      `${expected} runs ${FLAGS} --disable-warning=ExperimentalWarning ${directory}/src/daemon/main.ts --config a b\n`,
    );
  });

  test("nexusctl does the same", async () => {
    const { stdout } = await launch(join(directory, "bin/nexusctl"), { PATH: pathWith("v20.0.0") }, [
      "status",
    ]);
    expect(stdout).toMatch(/^v26\.1\.0 runs .*\/src\/cli\/main\.ts status$/m);
  });

  test("$NEXUSD_NODE comes before both, and is refused, not skipped, if it is too old", async () => {
    const named = fakeNode(join(scratch(), "my-node"), "v22.20.0");
    const env = { PATH: pathWith("v24.0.0"), NEXUSD_NODE: named };
    expect((await launch(join(directory, "bin/nexusd"), env)).stdout).toMatch(/^v22\.20\.0 runs /);
    fakeNode(named, "v18.0.0");
    const { code, stderr } = await launch(join(directory, "bin/nexusd"), env);
    expect(code).toBe(1);
    expect(stderr).toContain(`$NEXUSD_NODE is ${named} (v18.0.0)`);
    const { stderr: absent } = await launch(join(directory, "bin/nexusd"), { ...env, NEXUSD_NODE: "/none" });
    expect(absent).toContain("$NEXUSD_NODE is /none (which does not run)");
  });
});

describe("if no Node.js is new enough, the error names the version needed, the versions found and how to get one", () => {
  test.each(["nexusd", "nexusctl"])("%s", async (program) => {
    const directory = fakePackage(scratch());
    put(join(directory, "package-lock.json"));
    fakeNode(join(directory, "node_modules/node/bin/node"), "v22.0.0");
    const PATH = pathWith("v20.20.2");
    const { code, stdout, stderr } = await launch(join(directory, "bin", program), { PATH });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(`${program}: needs Node.js 22.19 or newer.
  Found: ${PATH}/node is v20.20.2; ${directory}/node_modules/node/bin/node is v22.0.0.
  To get it: run "npm ci" in ${directory}, which brings one along;
  or install it from https://nodejs.org/en/download;
  or name one that you have: NEXUSD_NODE=/path/to/node ${program}
`);
  });

  test("also if there is no Node.js at all", async () => {
    const directory = fakePackage(scratch());
    const { code, stderr } = await launch(join(directory, "bin/nexusd"), { PATH: pathWith() });
    expect(code).toBe(1);
    expect(stderr).toContain('Found: no node on PATH.\n  To get it: run "npm install node@26"');
  });

  test("the required version is the one in package.json", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
    const needed = /^needed=(\S+)/m.exec(readFileSync("bin/launch.sh", "utf8"))?.[1];
    expect(engines.node).toBe(`>=${needed}`);
  });
});

describe("the launcher finds its package", () => {
  test("through npm's links, and finds the Node.js that several packages share", async () => {
    const project = scratch();
    const installed = fakePackage(join(project, "node_modules/nexusd"), ["dist/src/daemon/main.js"]);
    fakeNode(join(project, "node_modules/node/bin/node"), "v26.1.0");
    const link = join(project, "node_modules/.bin/nexusd");
    mkdirSync(dirname(link));
    symlinkSync("../nexusd/bin/nexusd", link);
    const farther = join(scratch(), "a link");
    symlinkSync(link, farther);
    const { stdout } = await launch(farther, { PATH: pathWith("v20.0.0"), CDPATH: "/:/tmp" });
    expect(stdout).toBe(`v26.1.0 runs ${FLAGS} ${installed}/dist/src/daemon/main.js\n`);
  });

  test.each([
    [["src/daemon/main.js", "src/daemon/main.ts", "dist/src/daemon/main.js"], "/src/daemon/main.js"],
    [["src/daemon/main.ts", "dist/src/daemon/main.js"], "/src/daemon/main.ts"],
    [["dist/src/daemon/main.js"], "/dist/src/daemon/main.js"],
  ])("and in it, of %j, %s", async (entries, expected) => {
    const directory = fakePackage(scratch(), entries);
    const { stdout } = await launch(join(directory, "bin/nexusd"), { PATH: pathWith("v26.0.0") });
    expect(stdout.trimEnd().split(" ").at(-1)).toBe(directory + expected);
  });

  test("or reports that it is incomplete", async () => {
    const directory = fakePackage(scratch(), []);
    const { code, stderr } = await launch(join(directory, "bin/nexusd"), { PATH: pathWith("v26.0.0") });
    expect(code).toBe(1);
    expect(stderr).toMatch(/is not complete: .* run "npm run build" there\n$/);
  });
});

test("the launcher becomes the program, with its process id, signals and exit code", async () => {
  const directory = fakePackage(scratch());
  put(
    join(directory, "src/daemon/main.ts"),
    `const code: number = 7; process.once("SIGTERM", () => process.exit(code)); setInterval(() => {}, 1000);
     console.log(process.pid);`,
  );
  const child = spawn(join(directory, "bin/nexusd"), {
    env: { PATH: process.env.PATH, NEXUSD_NODE: process.execPath },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  expect(Number(line)).toBe(child.pid);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([7, null]);
});

describe("npm run build", () => {
  const directory = scratch();
  beforeAll(async () => {
    const configs = ["tsconfig.json", "tsconfig.build.json", "tsconfig.types.json"];
    for (const part of ["bin", "jobs", "src", "package.json", ...configs])
      cpSync(part, join(directory, part), { recursive: true });
    symlinkSync(join(process.cwd(), "node_modules"), join(directory, "node_modules"));
    await run("npm", ["run", "build"], { cwd: directory });
  });

  test.each(["nexusd", "nexusctl"])(
    "gives a dist/ whose %s runs without TypeScript, on this version",
    async (program) => {
      const { version } = JSON.parse(readFileSync("package.json", "utf8"));
      const env = { PATH: pathWith(), NEXUSD_NODE: process.execPath, NODE_OPTIONS: "--no-strip-types" };
      const { code, stdout, stderr } = await launch(join(directory, "dist/bin", program), env, ["--version"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(version);
    },
  );
});
