// What nexus.sh stores about its sessions, read and never changed: one directory per session, one value per file.

import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { type ImportedSession, importedSession } from "../../../contract/api/import.ts";
import { isLoopback } from "../../../core/settings.ts";
import { beginsWith } from "../../../services/messaging/membership/names.ts";

/** A session that can be imported. */
export interface FoundSession {
  kind: "found";
  session: ImportedSession;
  /** What a person should know about it. */
  notes: string[];
}

/** One that cannot be, and why; `nothing`: it contains nothing to lose. */
export interface SkippedSession {
  kind: "skipped" | "nothing";
  sessionId: string;
  reason: string;
}

export interface NexusShState {
  sessions: (FoundSession | SkippedSession)[];
  /** About files that belong to no single session. */
  notes: string[];
}

/** The default server of nexus.sh. */
const DEFAULT_SERVER = "https://messaging.md";
const MAX_BYTES = 65_536;
const OTHERS = 0o077;

/** @param directory `~/.config/messaging` @throws the system's error if it cannot be listed */
export function readNexusSh(directory: string): NexusShState {
  const notes: string[] = [];
  const aliases = readAliases(join(directory, "aliases.json"), notes);
  const server = readServer(join(directory, "config.json"), notes);
  const root = join(directory, "sessions");
  const entries = readdirSync(root, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sessions = entries.map((entry): FoundSession | SkippedSession => {
    const sessionId = entry.name;
    if (entry.isSymbolicLink()) return skipped(sessionId, "it is a symbolic link");
    if (!entry.isDirectory()) return skipped(sessionId, "it is not a directory", "nothing");
    const isOther = (name: string) =>
      entries.some((one) => one.name !== sessionId && beginsWith(one.name, name));
    return readSession(join(root, sessionId), sessionId, aliases.get(sessionId) ?? [], server, isOther);
  });
  for (const sessionId of aliases.keys())
    if (!entries.some(({ name }) => name === sessionId))
      notes.push(`aliases.json: ${list(aliases.get(sessionId))} belongs to a session that no longer exists`);
  return { sessions, notes };
}

const skipped = (
  sessionId: string,
  reason: string,
  kind: SkippedSession["kind"] = "skipped",
): SkippedSession => ({ kind, sessionId, reason });

function readSession(
  directory: string,
  sessionId: string,
  aliases: string[],
  server: string | undefined,
  isOther: (name: string) => boolean,
): FoundSession | SkippedSession {
  const notes: string[] = [];
  try {
    const agentId = readValue(join(directory, "agent"));
    if (agentId === undefined)
      return skipped(sessionId, "it has no agent id: nexus.sh never joined it", "nothing");
    const sessionKey = readValue(join(directory, "key"), (mode) => {
      if ((mode & OTHERS) !== 0)
        notes.push("others on this machine can read its key: chmod 600 it, or leave and join again");
    });
    if (sessionKey === undefined)
      notes.push("it has no key: messages are sent unverified, and it cannot be left");
    let cursor = readValue(join(directory, "cursor"));
    if (cursor !== undefined && !importedSession.shape.cursor.safeParse(cursor).success) {
      notes.push("its cursor is not a number: it is read from its start");
      cursor = undefined;
    }
    if (aliases.some(isOther)) notes.push("an alias is left out: another session's id begins with it");
    const names = aliases.filter((name) => !isOther(name));
    const [alias, ...others] = names.filter((name) => importedSession.shape.alias.safeParse(name).success);
    const left = names.filter((name) => name !== alias);
    if (left.length > 0)
      notes.push(
        `the alias ${list(left)} is left out: ${others.length > 0 ? "a session has one" : "nexusd takes letters, digits, . _ and -"}`,
      );
    const bound = readValue(join(directory, "server"));
    const parsed = importedSession.safeParse({
      ...{ sessionId, agentId, server: withScheme(bound ?? server ?? DEFAULT_SERVER) },
      ...(sessionKey !== undefined && { sessionKey }),
      ...(cursor !== undefined && { cursor }),
      ...(alias !== undefined && { alias }),
    });
    if (!parsed.success) return skipped(sessionId, whyInvalid(parsed.error));
    return { kind: "found", session: parsed.data, notes };
  } catch (error) {
    return skipped(sessionId, error instanceof Error ? error.message : String(error));
  }
}

const FILES: Record<string, string> = {
  sessionId: "the name of its directory",
  agentId: "agent",
  sessionKey: "key",
};

const whyInvalid = (error: z.ZodError): string =>
  error.issues
    .map(({ path: [field], message }) => `${FILES[String(field)] ?? String(field)} ${message}`)
    .join("; ");

/**
 * A file's single value, without its line break; undefined if the file is missing or empty. Symbolic links and
 * anything but files are refused. @throws Error naming the file, without its content
 */
function readValue(path: string, onMode: (mode: number) => void = () => {}): string | undefined {
  const name = path.split("/").at(-1);
  let file: number;
  try {
    // Non-blocking: opening a pipe in its place would hang.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ENOENT") return undefined;
    throw new Error(code === "ELOOP" ? `${name} is a symbolic link` : `${name} cannot be read (${code})`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Error(`${name} is not a file`);
    if (stat.size > MAX_BYTES) throw new Error(`${name} is larger than any value of nexus.sh`);
    onMode(stat.mode);
    return readFileSync(file, "utf8").trim() || undefined;
  } finally {
    closeSync(file);
  }
}

/** By session, its aliases. */
function readAliases(path: string, notes: string[]): Map<string, string[]> {
  const aliases = new Map<string, string[]>();
  for (const [alias, sessionId] of Object.entries(readObject(path, notes) ?? {}))
    if (typeof sessionId === "string" && sessionId.trim() !== "") {
      // A file edited by hand may contain blanks, which the shell drops as well.
      const id = sessionId.trim();
      aliases.set(id, [...new Set([...(aliases.get(id) ?? []), alias.trim()])]);
    } else notes.push(`aliases.json: "${alias}" names no session`);
  return aliases;
}

function readServer(path: string, notes: string[]): string | undefined {
  const { serverUrl } = readObject(path, notes) ?? {};
  return typeof serverUrl === "string" && serverUrl.trim() !== "" ? serverUrl.trim() : undefined;
}

function readObject(path: string, notes: string[]): Record<string, unknown> | undefined {
  const name = path.split("/").at(-1);
  try {
    const text = readValue(path);
    if (text === undefined) return undefined;
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
    notes.push(`${name} is left out: it is not a JSON object`);
  } catch (error) {
    // The parser's message would quote the content of the file.
    notes.push(
      `${name} is left out: ${error instanceof SyntaxError ? "it is not JSON" : (error as Error).message}`,
    ); // thrown by readValue, or by JSON.parse
  }
  return undefined;
}

/** Adds a scheme, https unless it is loopback, so that a credential never leaves this machine in clear. */
function withScheme(url: string): string {
  if (url.includes("://")) return url;
  const asHttp = `http://${url}`;
  return URL.canParse(asHttp) && isLoopback(new URL(asHttp).hostname) ? asHttp : `https://${url}`;
}

const list = (names: string[] = []) => names.map((name) => `"${name}"`).join(", ");
