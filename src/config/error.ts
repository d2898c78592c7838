// A configuration error. Separate from the code that finds the problems: nexusctl uses it without loading the schema.

import { visible } from "../core/text/visible.ts";

export interface Problem {
  /** TOML path such as `messaging.sessions[0].id`; empty for the file as a whole. */
  path: string;
  /** The offending value as written in TOML; never a secret's. */
  value?: string;
  /** The expected value. */
  message: string;
  /** Line in the file, from 1; known for syntax errors. */
  line?: number;
}

/** A configuration that cannot be used, with all its problems. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly path: string;
  readonly problems: Problem[];

  constructor(path: string, problems: Problem[]) {
    super(problems.map((problem) => formatProblem(path, problem)).join("\n"));
    this.path = path;
    this.problems = problems;
  }
}

/** One line: `config/nexusd.toml: nex.timeout = "x": must be a duration such as …`. */
export function formatProblem(file: string, { path, value, message, line }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  const subject = value === undefined ? path : `${path} = ${value}`;
  return visible([place, subject, message].filter((part) => part !== "").join(": "));
}
