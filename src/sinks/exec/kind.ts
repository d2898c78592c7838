// A command that is started when there is something to read, with the notice on its standard input.

import { z } from "zod";
import { duration, filePath } from "../../core/settings.ts";
import { defineKind } from "../kind.ts";

const argument = z.string().refine((text) => !text.includes("\0"), "must not hold a NUL character");

const NOT_A_VARIABLE = "must be the name of an environment variable";
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, { error: NOT_A_VARIABLE });

const commandError = (issue: { input?: unknown }) =>
  `${issue.input === undefined ? "is missing: " : ""}${COMMAND}`;
const COMMAND =
  'must be the command and its arguments, such as ["/usr/local/bin/wake-agent", "--quiet"]: no shell reads it';

/** What tells a program that it is a service of systemd's, or where nexusd's own credentials are. */
const OF_THE_DAEMON = /^(CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|LISTEN_\w+|WATCHDOG_\w+|NODE_OPTIONS)$/;
const OF_THE_NOTICE = /^NEXUSD_/;

export const exec = defineKind({
  name: "exec",
  settings: {
    command: z
      .array(argument, { error: commandError })
      .min(1, { error: COMMAND })
      .max(256)
      .refine(([program]) => program !== "", "must begin with a program"),
    timeout: duration("10m", "1s", "24h"),
    directory: filePath.optional(),
    env: z.record(variable, argument).default({}),
    pass_env: z.array(variable).max(100).default([]),
  },
  secrets: [],
  address: null,
  passesOn: ({ pass_env }) => (Array.isArray(pass_env) ? pass_env.filter(isText) : []),
  check({ env, pass_env }) {
    const named = [
      ...(Array.isArray(pass_env) ? pass_env : []).map((name) => ({ key: "pass_env", name })),
      ...Object.keys(typeof env === "object" && env !== null ? env : {}).map((name) => ({
        key: "env",
        name,
      })),
    ];
    return named.flatMap(({ key, name }) => {
      if (typeof name !== "string") return [];
      if (OF_THE_NOTICE.test(name))
        return [{ key, message: `must not have ${name}: nexusd itself sets the variables NEXUSD_*` }];
      if (OF_THE_DAEMON.test(name))
        return [{ key, message: `must not have ${name}, which is the daemon's own` }];
      return [];
    });
  },
  async examine({ command: [program = ""], directory }) {
    const { findProgram } = await import("./program.ts");
    if (await findProgram(program, { directory, path: process.env.PATH })) return undefined;
    return {
      detail: `${program} is not there, or this user may not execute it`,
      remedy: "Put the path of `command` right, or: chmod +x",
    };
  },
  async create(context) {
    const { createExec } = await import("./exec.ts");
    return createExec(context);
  },
});

const isText = (value: unknown): value is string => typeof value === "string";
