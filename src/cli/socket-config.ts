// The sockets from a configuration file, parsed leniently: `nexusctl` finds a running daemon even if its config file
// has errors.

import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { type SocketPaths, socketPaths } from "../config/sockets.ts";

export interface ConfiguredSockets {
  paths: SocketPaths;
  /** What could not be read, and what was used instead; undefined: nothing to report. */
  notice: string | undefined;
}

/** @throws the error of the file system if the file cannot be read at all */
export function readSockets(file: string): ConfiguredSockets {
  const { tables, problem } = parseTables(readFileSync(file, "utf8"));
  const problems = problem === undefined ? [] : [problem];
  const textAt = (table: string, key: string): string | undefined => {
    const value = member(member(tables, table), key);
    if (value === undefined || (typeof value === "string" && value !== "" && !value.includes("\0")))
      return value;
    problems.push(`${table}.${key} must be a path in quotes`);
    return undefined;
  };
  const dataDir = textAt("daemon", "data_dir");
  const agent = textAt("control", "agent_socket");
  const operator = textAt("control", "operator_socket");
  const paths = socketPaths({
    daemon: { data_dir: dataDir ?? "data" },
    control: {
      ...(agent !== undefined && { agent_socket: agent }),
      ...(operator !== undefined && { operator_socket: operator }),
    },
  });
  const isFound = dataDir !== undefined || (agent !== undefined && operator !== undefined);
  const taken = isFound
    ? "its socket paths are used anyway"
    : `using the sockets ${paths.agent} and ${paths.operator}`;
  return { paths, notice: problems.length > 0 ? `${file} ${problems.join("; ")}: ${taken}` : undefined };
}

/** The whole file; if it is not valid TOML, only the tables that define the sockets, as far as they are valid. */
function parseTables(text: string): { tables: Record<string, unknown>; problem: string | undefined } {
  try {
    return { tables: parse(text), problem: undefined };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = "", ...rest] = text.split(/^(?=[ \t]*\[)/m);
    const meant = rest.filter((table) => /^[ \t]*\[[ \t]*(daemon|control)[ \t]*\]/.test(table));
    const tables: Record<string, unknown> = Object.assign({}, ...[first, ...meant].map(parseOrNothing));
    // Without the parser's message, which quotes the file: it may contain a secret.
    return { tables, problem: `is not TOML, line ${error.line}` };
  }
}

function parseOrNothing(text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof TomlError) return {};
    throw error;
  }
}

const member = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key] // any own key of an object may be read
    : undefined;
