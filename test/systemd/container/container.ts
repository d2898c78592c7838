// A separate Debian with a real systemd as its first process: built once by debootstrap, booted by systemd-nspawn on an
// overlay that is thrown away. It shares this machine's network. Needs root.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";
/** The dependencies of the package, and the programs that a check needs. */
const PACKAGES = "systemd,systemd-sysv,dbus,init-system-helpers,libatomic1,libstdc++6,ca-certificates,curl";
/** Raise it when the list above changes. */
const VERSION = 1;
const BOOT_WITHIN_MS = 60_000;
const COMMAND_WITHIN_S = 90;

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Container {
  /** Runs a shell command inside, as root. */
  run(command: string): Promise<Result>;
  /** The same; returns its output. @throws Error with its output if it fails */
  output(command: string): Promise<string>;
  put(path: string, content: string | Buffer, mode?: number): void;
  /** Shuts it down and boots it again with its present files. */
  reboot(): Promise<void>;
  /** Kills everything in it and removes what it wrote. */
  remove(): Promise<void>;
}

/** Why it cannot run here; undefined: it can. Anything installable is installed. */
export function whyNot(): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "it needs root";
  const tools = {
    debootstrap: "debootstrap",
    "systemd-nspawn": "systemd-container",
    "dpkg-deb": "dpkg",
    strip: "binutils",
  };
  const missing = Object.entries(tools).filter(([tool]) => !has(tool));
  if (missing.length > 0 && has("apt-get")) installPackages(missing.map(([, name]) => name));
  const absent = missing.map(([tool]) => tool).filter((tool) => !has(tool));
  if (absent.length > 0) return `there is no ${absent.join(" and no ")}, and apt-get could not bring it`;
  return canMount() ? undefined : "it may not mount a cgroup2 file system";
}

export const has = (tool: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" }).status === 0;

export function installPackages(names: readonly string[]): void {
  const install = () =>
    spawnSync("apt-get", ["install", "-qq", "--no-install-recommends", ...names], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
      timeout: 300_000,
    }).status === 0;
  // Its lists may be old or missing.
  if (!install()) {
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", timeout: 120_000 });
    install();
  }
}

const canMount = (): boolean =>
  spawnSync("unshare", ["-m", "sh", "-c", "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt"], {
    stdio: "ignore",
  }).status === 0;

/** The file system of a Debian that was never booted. */
export function preparedRoot(): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "nexusd-test-systemd");
  const root = join(cache, `${SUITE}-${VERSION}`);
  if (existsSync(root)) return root;
  mkdirSync(cache, { recursive: true });
  // Those of interrupted runs.
  for (const name of readdirSync(cache).filter((name) => name.startsWith("unfinished-")))
    if (!existsSync(`/proc/${name.slice("unfinished-".length)}`))
      rmSync(join(cache, name), { recursive: true, force: true });
  const unfinished = join(cache, `unfinished-${process.pid}`);
  mkdirSync(unfinished);
  try {
    const options = ["--variant=minbase", `--include=${PACKAGES}`, SUITE, unfinished, MIRROR];
    // In its own mount namespace: its mounts disappear with it, however it ends.
    execFileSync("unshare", ["-m", "debootstrap", ...options], {
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 400_000,
    });
    // Empty: each boot gets its own, and does not count as the first of a new machine, which would ask questions.
    writeFileSync(join(unfinished, "etc/machine-id"), "");
    renameSync(unfinished, root);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
  return root;
}

// In its own mount namespace, so that nothing stays mounted when it ends.
const BOOT = `
set -e
mount --make-rprivate /
if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
  umount -R /sys/fs/cgroup 2>/dev/null || true
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
# Of its own: what runs at the same time has units of the same names.
mkdir "/sys/fs/cgroup/nexusd-test-$$"
echo $$ > "/sys/fs/cgroup/nexusd-test-$$/cgroup.procs"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn -q -D "$2/root" --bind-ro="$3:/opt/nexusd" --boot --register=no --keep-unit --console=pipe
`;

const REMOVE_GROUP = `
mount --make-rprivate /
mount -t cgroup2 cgroup2 /mnt
cd "/mnt/nexusd-test-$1" || exit 0
echo 1 > cgroup.kill
for try in 1 2 3 4 5 6 7 8 9 10; do
  find . -depth -mindepth 1 -type d -exec rmdir {} + && rmdir "$PWD" && exit
  sleep 0.1
done
`;

/**
 * @param files from the path on this machine to the path inside
 * @param checkout is /opt/nexusd inside
 */
export async function boot(files: Record<string, string>, checkout: string): Promise<Container> {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-systemd-"));
  for (const part of ["upper", "work", "root"]) mkdirSync(join(directory, part));
  for (const [from, to] of Object.entries(files))
    cpSync(from, join(directory, "upper", to), { recursive: true });
  let nspawn = start(directory, checkout);
  const remove = async () => {
    await nspawn.end();
    rmSync(directory, { recursive: true, force: true });
  };
  const up = () =>
    nspawn.up().catch(async (error) => {
      await remove();
      throw error;
    });
  await up();
  return {
    run: (command) => nspawn.run(command),
    async output(command) {
      const { code, stdout, stderr } = await nspawn.run(command);
      if (code !== 0) throw new Error(`${command}\nended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    put(path, content, mode = 0o644) {
      writeFileSync(`/proc/${nspawn.init()}/root${path}`, content, { mode });
    },
    async reboot() {
      await nspawn.run("systemctl --no-block reboot");
      await nspawn.ended();
      nspawn = start(directory, checkout);
      await up();
    },
    remove,
  };
}

/** One run of its systemd, on the files in `directory`. */
function start(directory: string, checkout: string) {
  const nspawn = spawn("unshare", ["-m", "sh", "-c", BOOT, "sh", preparedRoot(), directory, checkout], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [nspawn.stdout, nspawn.stderr])
    stream.on("data", (chunk) => {
      said = (said + chunk).slice(-4000);
    });
  const hasEnded = () => nspawn.exitCode !== null || nspawn.signalCode !== null;
  const init = (): number => {
    const pid = initOf(nspawn);
    if (pid === undefined) throw new Error(`the container is not running: ${said}`);
    return pid;
  };
  const ended = async () => {
    const patience = AbortSignal.timeout(BOOT_WITHIN_MS);
    if (!hasEnded()) await once(nspawn, "exit", { signal: patience });
    removeGroup();
  };
  const removeGroup = () =>
    spawnSync("unshare", ["-m", "sh", "-c", REMOVE_GROUP, "sh", String(nspawn.pid)], { stdio: "ignore" });
  const run = async (command: string): Promise<Result> => await inside(init(), command);
  return {
    init,
    run,
    /** Resolves when it has shut down by itself. */
    ended,
    /** Resolves when it has booted. */
    async up() {
      const end = Date.now() + BOOT_WITHIN_MS;
      for (let state = ""; !/^(running|degraded)/.test(state); ) {
        if (hasEnded() || Date.now() > end)
          throw new Error(`systemd does not come up (${state.trim()}): ${said}`);
        await sleep(200);
        if (initOf(nspawn) !== undefined) state = (await run("systemctl is-system-running 2>&1")).stdout;
      }
    },
    async end() {
      const pid = initOf(nspawn);
      // The end of its first process ends everything in it.
      if (pid !== undefined) spawnSync("kill", ["-KILL", String(pid)]);
      nspawn.kill("SIGKILL");
      await ended();
    },
  };
}

/** The process id, on this machine, of the container's systemd. */
function initOf({ pid }: ChildProcess): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return children
      .map(Number)
      .find((child) => readFileSync(`/proc/${child}/comm`, "utf8").trim() === "systemd");
  } catch {
    return undefined; // it has ended, or not started
  }
}

async function inside(init: number, command: string): Promise<Result> {
  const child = spawn(
    "timeout",
    [
      "--kill-after=5",
      String(COMMAND_WITHIN_S),
      "nsenter",
      "-t",
      String(init),
      "-a",
      "/bin/sh",
      "-c",
      `cd /; ${command}`,
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        LC_ALL: "C.UTF-8",
        HOME: "/root",
        SYSTEMD_PAGER: "",
      },
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  return { code: code ?? 1, stdout, stderr };
}
