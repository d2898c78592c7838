// A configuration that cannot be used, as an error. Apart from what finds the problems: nexusctl has it, and no schema.

import { visible } from "../core/text/visible.ts";

export interface Problem {
  /** TOML path such as `messaging.sessions[0].id`; empty for the file as a whole. */
  path: string;
  /** The offending value as TOML writes it; never a secret's. */
  value?: string;
  /** What would be right. */
  message: string;
  /** In the file, from 1; known for syntax errors. */
  line?: number;
}

/** A configuration that cannot be used, with everything that is wrong with it. */
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
