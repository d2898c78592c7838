// How a command fails: the problem on stdout, and the exit code.

import { NexusdError, type Problem } from "../client/error.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, noDaemon: 69 } as const;

/** A failure of the command itself: exit 1, `json` on stdout, as for a refusal of the daemon. */
export class Failed extends NexusdError {
  override readonly name: string = "Failed";
}

/** Nothing listens at the socket: exit 69. */
export class NoDaemon extends Failed {
  override readonly name = "NoDaemon";

  /** What is wrong, without the advice: a sentence. */
  readonly fact: string;
  /** The command that starts one. */
  readonly startWith: string;

  /** @param sockets where it was looked for, the first choice first */
  constructor([socket = "", ...others]: string[], startWith: string, cause?: unknown) {
    const elsewhere = others.length > 0 ? `, nor at ${others.join(" or ")}` : "";
    const fact = `No daemon at ${socket}${elsewhere}.`;
    super(
      { title: "No daemon", detail: `${fact} Start it with: ${startWith}`, code: "no_daemon" },
      { cause },
    );
    this.fact = fact;
    this.startWith = startWith;
  }
}

/** The command has already printed everything: exit 1. */
export class Reported extends Error {
  override readonly name = "Reported";
}

/** The command has succeeded, and reports the result by its exit code. */
export class Ended extends Error {
  override readonly name = "Ended";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** The arguments are wrong: exit 2, nothing on stdout. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}

/** A problem as lines for a person, without repetition: requests of the API appear as the commands that send them. */
export function problemLines({ detail, code, errors = [] }: Problem): string[] {
  const further = errors.filter(
    ({ path, message }) => !(detail.includes(message) && (path === "" || detail.includes(path))),
  );
  return [
    `${inCommands(detail)} (${code})`,
    ...further.map(({ file, line, path, message }) => {
      const place = line === undefined ? file : file === undefined ? `line ${line}` : `${file}:${line}`;
      return `  ${[place, path, inCommands(message)].filter(Boolean).join(": ")}`;
    }),
  ];
}

/** A transient failure, as text for a command that retries. */
export const waiting = (error: unknown): string =>
  error instanceof NoDaemon
    ? `${error.fact} Waiting for it; start it with: ${error.startWith}`
    : `${error instanceof Error ? error.message : error} Waiting for it.`;

/** Notes when the daemon becomes unavailable, and when it is back. */
export const noteAway =
  (output: { note(text: string): void }) =>
  (error: unknown): void =>
    output.note(error === undefined ? "connected again" : waiting(error));

const COMMANDS: Record<string, string> = {
  "GET /v1/jobs": "nexusctl jobs",
  "GET /v1/operations": "nexusctl operations",
  "GET /v1/consumers": "nexusctl consumers",
  "GET /v1/writes": "nexusctl writes",
  "GET /v1/status": "nexusctl status",
  "POST /v1/reads": "nexusctl read",
  "POST /v1/writes": "nexusctl write",
};

/** Only whole routes; if the text names the command already, the route is removed: "GET /v1/x (nexusctl x)". */
const inCommands = (text: string) =>
  text
    .replace("send it in the header Nexusd-Token", "give it with --token @FILE, or in $NEXUSD_TOKEN")
    .replace(/(?:GET|POST|PUT|DELETE) \/v1\/[\w/-]+ \((nexusctl [^)]+)\)/g, "$1")
    .replace(/(?:GET|POST) \/v1\/[\w/-]*\w/g, (route) => COMMANDS[route] ?? route);
