// What the messaging commands share: a read or a write of messaging, and its output for a person or a program.

import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Write } from "../../../contract/writes.ts";
import { isDone, isFinal } from "../../../contract/writes.ts";
import { parseDuration } from "../../../core/duration.ts";
import { stringifyJson } from "../../../core/exact-json.ts";
import { pad, visible } from "../../../core/text/visible.ts";
import { type CliContext, jsonOf } from "../../context.ts";
import { Failed, noteAway } from "../../problem.ts";

/** The result of an operation; its fields are the service's, and any may be missing. */
export type Result = Record<string, unknown>;

export interface WriteOptions {
  reason?: string;
  agent?: string;
  idempotencyKey?: string;
  /** true: even for an operator's approval; false: not at all. */
  wait?: boolean;
}

/** The options of every command that writes. */
export const addWriteOptions = (command: Command): Command =>
  command
    .option("--reason <text>", "the reason, kept with the write")
    .option("--agent <name>", "a name that you give yourself; it is not verified")
    .option("--idempotency-key <key>", "a retry with the same key returns the same write")
    .option("--wait", "wait even if an operator has to approve it")
    .option("--no-wait", "do not wait for the result");

/** The fields of an input that were given. */
export const given = (input: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));

/** A duration in whole seconds: "2h", "90m", or a number of seconds. */
export function seconds(text: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (ms === undefined || ms < 1000)
    throw new InvalidArgumentError('It must be a duration such as "2h", or a number of seconds.');
  return Math.round(ms / 1000);
}

/** Asks a service directly. @throws Failed */
export async function ask({ client, io }: CliContext, operation: string, input: object): Promise<Result> {
  return asResult((await client.read(operation, input, { signal: io.signal })).output);
}

/**
 * Proposes a write and follows it to its end.
 * @returns its result, or undefined if it was not waited for and has been printed
 * @throws Failed if it did not succeed, or needs an approval first
 */
export async function carryOut(
  context: CliContext,
  operation: string,
  input: object,
  options: WriteOptions,
): Promise<Result | undefined> {
  const { client, io, output } = context;
  const { wait, ...proposal } = options;
  const proposed = await client.propose(
    { operation, input, ...proposal },
    { patienceMs: 0, signal: io.signal },
  );
  const { id } = proposed;
  if (wait === false) {
    if (output.isHuman) output.note(`${id} is ${proposed.state}; see: nexusctl writes show ${id}`);
    else await output.json(jsonOf(proposed));
    return undefined;
  }
  const waits = `An operator decides: nexusctl writes approve ${id}; its state: nexusctl writes show ${id}`;
  if (proposed.state === "proposed") {
    if (!wait) throw failed(proposed, "approval_needed", `The policy requires an approval. ${waits}`);
    output.note(waits);
  }
  let { state } = proposed;
  try {
    const write = await client.waitUntilFinal(id, {
      ...{ signal: io.signal, onAway: noteAway(output) },
      onProgress: (write) => {
        ({ state } = write);
        if (output.isHuman && !isFinal(write) && state !== "proposed" && wait)
          output.note(`${id} is ${state}`);
      },
    });
    if (isDone(write)) return { ...asResult(write.result?.output), writeId: id };
    throw ended(write);
  } catch (error) {
    if (io.signal.aborted) output.note(`interrupted; ${id} was ${state} and continues without this command`);
    throw error;
  }
}

function ended(write: Write): Failed {
  const { state, note, result } = write;
  const { code = `write_${state}`, message = "" } = result?.error ?? {};
  const words = [message || `The write is ${state}.`, note && `"${note}"`, result?.remedy];
  return failed(
    write,
    code,
    words
      .filter(Boolean)
      .join("\n")
      .replace(/(?<=[^.!?"])\n/g, ". ")
      .replaceAll("\n", " "),
  );
}

function failed({ id, state }: Write, code: string, detail: string): Failed {
  const problem = { title: `The write is ${state}`, detail, code };
  return new Failed(problem, {
    json: stringifyJson({ type: "about:blank", ...problem, writeId: id, state }),
  });
}

const asResult = (output: unknown): Result =>
  typeof output === "object" && output !== null && !Array.isArray(output)
    ? { ...output }
    : output === undefined || output === null
      ? {}
      : { output };

/** The whole result as JSON, or for a person the named fields that are present, one per line. */
export async function print(
  { output }: CliContext,
  result: Result,
  fields: readonly (readonly [name: string, words: string])[],
): Promise<void> {
  if (!output.isHuman) return await output.json(stringifyJson(result));
  const shown = fields.filter(([name]) => result[name] !== undefined && result[name] !== null);
  const widest = Math.max(0, ...shown.map(([, words]) => words.length));
  for (const [name, words] of shown)
    await output.text(`${pad(words, widest)}  ${visible(text(result[name]))}`);
}

/** A value for a person: text as it is, anything else as JSON. */
export const text = (value: unknown): string => (typeof value === "string" ? value : stringifyJson(value));

/** The name of a session in a command: its alias, else the beginning of its id. */
export const nameOf = ({ alias, sessionId }: Result): string =>
  typeof alias === "string" ? alias : typeof sessionId === "string" ? sessionId.slice(0, 8) : "SESSION";
