// `npm run test:systemd`: nexusd's Debian package on a machine with systemd, from the installation to the purge. Prints
// a line for each check and finally "N passed, N failed"; if it cannot run it says why, and that all were skipped.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromCheckout } from "./checkout.ts";
import { boot, type Container, has, installPackages, preparedRoot, whyNot } from "./container.ts";
import { install, remove, upgrade } from "./installing.ts";
import { instance, personal } from "./instances.ts";
import { load } from "./load.ts";
import { createMachine } from "./machine.ts";
import { createReport } from "./report.ts";
import {
  approval,
  credentials,
  encrypted,
  failure,
  healthy,
  kill,
  reboot,
  reload,
  watchdog,
} from "./running.ts";
import { pathUnits } from "./runtimes.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";

const ROOT = join(import.meta.dirname, "../../..");
const OLDER = "0.0.1";
/** Those that count as skipped if nothing can run. */
const CHECKS = 33;

/** Each finds the machine as the previous one left it. */
const SCENES = [
  ...[
    fromCheckout,
    install,
    credentials,
    healthy,
    encrypted,
    reload,
    approval,
    kill,
    pathUnits,
    watchdog,
    instance,
    personal,
  ],
  ...[load, reboot, failure, upgrade, remove],
];

const report = createReport();
const end = (): never => {
  const { line, ok } = report.end();
  process.stdout.write(`${line}\n`);
  process.exit(ok ? 0 : 1);
};

function prepare(): string | undefined {
  const why = whyNot();
  if (why !== undefined) return why;
  try {
    preparedRoot();
    return undefined;
  } catch {
    return "debootstrap could not make a Debian: is there no mirror to be reached?";
  }
}

const why = prepare();
if (why !== undefined) {
  process.stdout.write(
    `systemd is not tested on this machine: ${why}\n0 passed, 0 failed, ${CHECKS} skipped\n`,
  );
  process.exit(0);
}

const output = mkdtempSync(join(tmpdir(), "nexusd-deb-"));
let sandbox: Sandbox | undefined;
let container: Container | undefined;
const cleanUp = async () => {
  sandbox?.process.kill("SIGKILL");
  await container?.remove();
};
process.once("exit", () => rmSync(output, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => cleanUp().finally(() => process.exit(130)));

const build = (env: Record<string, string>): string =>
  execFileSync("bash", ["packaging/deb.sh"], {
    cwd: ROOT,
    env: { ...process.env, DEB_OUT: output, DEB_COMPRESSION: "-Zgzip -z1", ...env },
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
  })
    .trim()
    .split("\n")
    .at(-1) ?? "";
const current = build({});
const older = build({ DEB_SKIP_BUILD: "1", DEB_VERSION: OLDER });

const LINTIAN = "lintian finds no error in the package";
if (!has("lintian")) installPackages(["lintian"]);
if (has("lintian"))
  await report.check(LINTIAN, async () => {
    const { status, stdout } = spawnSync(
      "lintian",
      ["--fail-on", "error", "--tag-display-limit", "0", current],
      {
        encoding: "utf8",
      },
    );
    if (status !== 0) throw new Error(stdout.replace(/^[^E].*\n/gm, ""));
  });
else report.skip(LINTIAN, "there is no lintian, and apt-get could not bring it");

try {
  sandbox = await startSandbox();
  container = await boot({ [output]: "debs" }, ROOT);
  const inside = (path: string) => path.replace(output, "/debs");
  const machine = createMachine(container);
  const scene = { report, machine, sandbox, packages: { older: inside(older), current: inside(current) } };
  for (const part of SCENES) await part(scene);
} finally {
  await cleanUp();
}
end();
