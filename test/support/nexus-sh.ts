// The state of nexus.sh on disk, as that client leaves it: one value per file, each with a line break.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface OldSession {
  agent?: string;
  key?: string;
  cursor?: string;
  server?: string;
}

/** Adds sessions to the existing ones. */
export function writeNexusSh(
  directory: string,
  sessions: Record<string, OldSession>,
  more: { aliases?: unknown; serverUrl?: string } = {},
): void {
  for (const [sessionId, values] of Object.entries(sessions)) {
    const at = join(directory, "sessions", sessionId);
    mkdirSync(at, { recursive: true, mode: 0o700 });
    for (const [name, value] of Object.entries(values))
      writeFileSync(join(at, name), `${value}\n`, { mode: 0o600 });
  }
  const write = (name: string, value: unknown) =>
    writeFileSync(join(directory, name), JSON.stringify(value), { mode: 0o600 });
  if (more.aliases !== undefined) write("aliases.json", more.aliases);
  if (more.serverUrl !== undefined) write("config.json", { serverUrl: more.serverUrl });
}

/** Every file with its content, mode and modification time: a reader must leave them unchanged. */
export const fingerprint = (directory: string): unknown[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { mode, mtimeMs } = statSync(path);
      return { path, mode, mtimeMs, content: readFileSync(path, "utf8") };
    });
