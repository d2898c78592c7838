// doctor: this machine: the sockets and who may use them, and the database.

import { accessSync, constants, readFileSync, type Stats, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { NexusdError } from "../../client/error.ts";
import { readMigrations } from "../../store/sqlite/migrate.ts";
import type { Role, SocketChoice } from "../sockets.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

export async function examineSockets(sockets: SocketChoice): Promise<Check[]> {
  const stats: Partial<Record<Role, Stats>> = {};
  const checks: Check[] = [];
  for (const role of ["agent", "operator"] as const) {
    try {
      const path = await sockets.path(role);
      if (checks.some(({ detail }) => detail.startsWith(`${path}:`))) continue;
      const stat = lookAt(path);
      if (typeof stat === "object") stats[role] = stat;
      checks.push(await examineSocket(role, path, stat));
    } catch (error) {
      // Only the config would say where it is, and its problems are reported separately.
      if (!(error instanceof NexusdError)) throw error;
    }
  }
  const { agent, operator } = stats;
  if (
    agent &&
    operator &&
    (operator.mode & 0o020) !== 0 &&
    operator.gid === agent.gid &&
    agent.ino !== operator.ino
  )
    checks.push(
      fail(
        "operator socket",
        `its group is the agents' group (${groupName(agent.gid)}): agents could approve their own writes`,
        "Give the operator socket mode 0600, or a group of its own.",
      ),
    );
  return checks;
}

/** What is there; an error code if this user cannot see it. */
function lookAt(path: string): Stats | string {
  try {
    return statSync(path);
  } catch (error) {
    return codeOf(error);
  }
}

async function examineSocket(role: Role, path: string, stat: Stats | string): Promise<Check> {
  const check = `${role} socket`;
  if (stat === "ENOENT")
    return fail(check, `${path}: does not exist`, "The daemon creates it when it starts.");
  if (typeof stat === "string")
    return fail(
      check,
      `${path}: this user may not access it (${stat})`,
      `Run doctor as ${ownerOf(dirname(path))}, or name a socket that this user may use in [control] ${role}_socket.`,
    );
  if (!stat.isSocket())
    return fail(
      check,
      `${path}: is not a socket`,
      `Move it away, or name another path in [control] ${role}_socket.`,
    );
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  const owner = userName(stat.uid);
  const group = groupName(stat.gid);
  // Connecting requires write permission.
  const who =
    (stat.mode & 0o002) !== 0
      ? "anyone"
      : (stat.mode & 0o020) !== 0
        ? `${owner} and the group ${group}`
        : `only ${owner}`;
  const detail = `${path}: mode ${mode}, ${owner}:${group}; ${who} may connect`;
  if ((stat.mode & 0o002) !== 0) {
    const right = role === "agent" ? "chmod 0660" : "chmod 0600";
    return (role === "agent" ? warn : fail)(check, detail, `${right} ${path}, and restart the daemon.`);
  }
  const refusal = await refusalAt(path);
  if (refusal === "ECONNREFUSED")
    return fail(
      check,
      `${path}: nothing listens there; a stopped daemon left it behind`,
      "The daemon replaces it when it starts.",
    );
  if (role === "agent" && refusal === "EACCES")
    return warn(check, `${detail}, and this user may not`, `Join the group ${group}, or run as ${owner}.`);
  return ok(check, detail);
}

const CONNECT_MS = 2000;

/** Why connecting fails, as the system's error code; undefined if it succeeds. */
const refusalAt = (path: string) =>
  new Promise<string | undefined>((resolve) => {
    const socket = connect(path);
    const end = (refusal?: string) => {
      socket.destroy();
      resolve(refusal);
    };
    socket.setTimeout(CONNECT_MS, () => end("ETIMEDOUT"));
    socket.on("connect", () => end());
    socket.on("error", (error) => end(codeOf(error)));
  });

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : String(error);

/** The owner of the nearest directory that this user can look at. */
export function ownerOf(path: string): string {
  const stat = lookAt(path);
  if (typeof stat === "object") return userName(stat.uid);
  return dirname(path) === path ? "root" : ownerOf(dirname(path));
}

const userName = (id: number) => nameOf("/etc/passwd", id);
const groupName = (id: number) => nameOf("/etc/group", id);

/** The name for a number in one of the system's lists; the number itself if it is in none. */
function nameOf(list: string, id: number): string {
  try {
    const line = readFileSync(list, "utf8")
      .split("\n")
      .find((entry) => entry.split(":")[2] === String(id));
    return line?.split(":")[0] ?? String(id);
  } catch {
    return String(id);
  }
}

/** @param isRunning whether a daemon is running, which then has the database open */
export function examineDatabase(dataDir: string, isRunning: boolean): Check[] {
  const path = join(dataDir, "nexusd.db");
  try {
    accessSync(dataDir, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [isRunning ? lost(dataDir) : notYet(dataDir)];
    const detail = `${dataDir} cannot be read by this user (${error instanceof Error ? error.message : error})`;
    return [warn("database", detail, `Run doctor as ${ownerOf(dataDir)} to check the database.`)];
  }
  if (lookAt(path) === "ENOENT") return [isRunning ? lost(path) : notYet(path)];
  return [checkDatabase(path)];
}

const notYet = (path: string) =>
  warn("database", `${path} does not exist yet`, "The daemon creates it when it starts.");

const lost = (path: string) =>
  fail(
    "database",
    `${path} does not exist although a daemon runs`,
    "Name the configuration of that daemon with --config FILE. If it is the right one, its files were deleted while it ran: restore a backup and restart it.",
  );

function checkDatabase(path: string): Check {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { readonly: true, fileMustExist: true, timeout: 2000 });
    const problems = db.pragma("quick_check(1)", { simple: true });
    if (problems !== "ok") return damaged(path, String(problems));
    const version = Number(db.pragma("user_version", { simple: true }));
    const known = readMigrations().length;
    if (version > known)
      return fail(
        "database",
        `${path}: schema version ${version} is newer than this nexusctl, which knows ${known}`,
        "Update nexusd.",
      );
    if (version < known)
      return warn(
        "database",
        `${path}: sound, schema version ${version} of ${known}`,
        "The daemon upgrades it when it starts.",
      );
    return ok("database", `${path}: sound, schema version ${version}`);
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    if (/CORRUPT|NOTADB/.test(error.code)) return damaged(path, error.message);
    return warn("database", `${path}: cannot be opened for reading (${error.code}: ${error.message})`);
  } finally {
    db?.close();
  }
}

const damaged = (path: string, what: string) =>
  fail(
    "database",
    `${path}: damaged (${what})`,
    "Stop the daemon and restore a backup: systemctl stop nexusd, nexusctl restore FILE. Without one, `sqlite3 nexusd.db .recover` may save its contents.",
  );
