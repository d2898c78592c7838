// Logging: one line per fact on stderr, for a person, a program or the journal, without secrets.

import { isatty } from "node:tty";
import { type Logger, pino, stdTimeFunctions } from "pino";
import type { Config } from "../config/schema.ts";
import { REDACTED, type Redactor, short } from "../core/redaction.ts";
import { visible, visibleJson } from "../core/text/visible.ts";
import { isJournalStream, toJournal } from "../systemd/journal.ts";
import { fdDestination, type LogDestination } from "./log-destination.ts";
import { namingModules } from "./stack.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Format = Exclude<Config["daemon"]["log_format"], "auto">;
type LogRecord = Record<string, unknown>;

export interface LogOptions {
  level: Config["daemon"]["log_level"];
  /** `auto`: pretty on a terminal, journal under systemd, else JSON. */
  format: Config["daemon"]["log_format"];
  env: Env;
  /** Knows the secrets; later ones (tokens, session keys) are added as they appear. */
  redactor: Redactor;
  /** Default: stderr. */
  destination?: LogDestination;
}

const STDERR = 2;

/** The root logger. Its `level` may be changed while it is in use. */
export async function createLog(options: LogOptions): Promise<Logger> {
  const { level, env, redactor, destination = fdDestination(STDERR) } = options;
  const format = options.format === "auto" ? chooseFormat(env, STDERR) : options.format;
  const render = await renderer(format, env);
  const log: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: (error: unknown) => describeError(error, log.isLevelEnabled("debug")),
        error: (error: unknown) => describeError(error, log.isLevelEnabled("debug")),
      },
    },
    { write: (line: string) => destination.write(`${render(clean(line, redactor))}\n`) },
  );
  destination.whenItFlows?.((dropped) =>
    log.warn({ dropped }, "log lines were dropped while nobody read them; logging works again"),
  );
  return log;
}

/** The format of `auto` for a file descriptor. */
export function chooseFormat(env: Env, fd: number): Format {
  if (isatty(fd)) return "pretty";
  return isJournalStream(env, fd) ? "journal" : "json";
}

async function renderer(format: Format, env: Env): Promise<(record: LogRecord) => string> {
  if (format === "json") return (record) => visibleJson(JSON.stringify(record));
  if (format === "journal") return toJournal;
  // Loaded only here: a daemon without a terminal must not pay for it.
  const { prettyFactory } = (await import("pino-pretty")).default;
  const pretty = prettyFactory({
    colorize: isatty(STDERR) && !env.NO_COLOR,
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
    errorLikeObjectKeys: [],
  });
  return (record) => {
    const { stack, ...shown } = takeStack(record);
    // Only what the record holds is made visible, before the colours are put around it.
    const line = pretty(mapStrings(shown, visible)).trimEnd();
    return stack === undefined ? line : `${line}\n${stack}`;
  };
}

/** The stack of `err` apart from the record, each of its lines indented and visible: it alone may span lines. */
function takeStack(record: LogRecord): LogRecord & { stack: string | undefined } {
  const { err } = record;
  if (typeof err !== "object" || err === null || !("stack" in err) || typeof err.stack !== "string")
    return { ...record, stack: undefined };
  const { stack, ...rest } = err;
  const lines = String(stack).split("\n");
  return { ...record, err: rest, stack: lines.map((line) => `    ${visible(line.trim())}`).join("\n") };
}

// Values under these names are secrets whatever they look like; a session's id is one in part.
const SECRET_NAME =
  /^(authorization|apikey|cookie|password|secret|token|.*[_-]?(api|anon|session)[_-]?key|.*access[_-]?token)$/i;
const SESSION_NAME = /^session_?id$/i;

/** A line as pino made it, as a record without secrets. */
function clean(line: string, { scrub }: Redactor): LogRecord {
  const scrubValue = (value: unknown, name: string): unknown => {
    if (typeof value === "string" && SECRET_NAME.test(name)) return REDACTED;
    if (typeof value === "string" && SESSION_NAME.test(name) && !value.endsWith("…"))
      return short(scrub(value));
    if (typeof value === "string") return scrub(value);
    if (typeof value === "number") return scrub(String(value)) === String(value) ? value : REDACTED;
    if (Array.isArray(value)) return value.map((item) => scrubValue(item, name));
    return typeof value === "object" && value !== null ? scrubRecord(value) : value;
  };
  const scrubRecord = (record: object): LogRecord =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [scrub(key), scrubValue(value, key)]));

  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null) {
      const { level, time, ...rest } = record as LogRecord; // pino writes an object with both
      return { level, time, ...scrubRecord(rest) };
    }
  } catch {
    // For example an object with a misleading toJSON: it still becomes a line, and is still scrubbed.
  }
  return { level: "info", msg: scrub(line.trimEnd()) };
}

function mapStrings<T>(value: T, change: (text: string) => string): T;
function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change(key), mapStrings(item, change)]),
  );
}

const MAX_CAUSES = 5;

/** An error as it is logged: type, message, code and the causes in words; the stack only where asked for. */
export function describeError(error: unknown, withStack: boolean): unknown {
  if (!(error instanceof Error)) return error;
  const causes: string[] = [];
  let cause: unknown = causeOf(error);
  while (cause !== undefined && causes.length < MAX_CAUSES) {
    causes.push(cause instanceof Error ? `${typeOf(cause)}: ${cause.message}` : String(cause));
    cause = causeOf(cause);
  }
  return {
    type: typeOf(error),
    message: error.message,
    ...("code" in error && error.code !== undefined ? { code: String(error.code) } : {}),
    ...(causes.length > 0 ? { causes } : {}),
    ...(withStack && error.stack !== undefined ? { stack: namingModules(error.stack) } : {}),
  };
}

const typeOf = (error: Error) => (error.name === "Error" ? error.constructor.name : error.name);

// A failed connection to several addresses has its reasons in `errors`; the first one is enough.
const causeOf = (error: unknown): unknown => {
  if (!(error instanceof Error)) return undefined;
  return error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined) ?? undefined;
};
