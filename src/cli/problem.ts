// How a command fails: the problem it reports on stdout, and the exit code that goes with it.

/** RFC 9457, with nexusd's `code` and `errors`. */
export interface Problem {
  type?: string;
  title: string;
  status?: number;
  detail: string;
  code: string;
  errors?: { path: string; message: string }[];
}

export const EXIT = { done: 0, failed: 1, usage: 2, noDaemon: 69 } as const;

/** A refusal or a failure: exit 1, `json` on stdout. */
export class Failed extends Error {
  override readonly name: string = "Failed";
  readonly problem: Problem;
  /** The problem exactly as the daemon sent it, or as made here. */
  readonly json: string;
  /** The epoch of the daemon that refused. */
  readonly epoch: string | undefined;

  constructor(
    problem: Problem,
    options: { json?: string; epoch?: string | undefined; cause?: unknown } = {},
  ) {
    super(problem.detail, { cause: options.cause });
    this.problem = problem;
    this.json = options.json ?? JSON.stringify({ type: "about:blank", ...problem });
    this.epoch = options.epoch;
  }
}

/** Nothing listens at the socket: exit 69. */
export class NoDaemon extends Failed {
  override readonly name = "NoDaemon";

  constructor(socket: string, startWith: string, cause?: unknown) {
    super(
      {
        title: "No daemon",
        detail: `No daemon at ${socket}. Start it with: ${startWith}`,
        code: "no_daemon",
      },
      { cause },
    );
  }
}

/** The command has said it all already: exit 1, and nothing more to print. */
export class Reported extends Error {
  override readonly name = "Reported";
}

/** What was typed cannot be done that way: exit 2, nothing on stdout. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}
