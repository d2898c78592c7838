// Secrets: resolved from the configured references, and wrapped so that nothing prints them by accident.

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { REDACTED, scrubShapes } from "../core/redaction.ts";
import type { SecretRef } from "../core/settings.ts";
import { whyUnreadable } from "./find.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** A secret's value, which only `reveal()` returns: not String(), JSON, a template, nor console.log. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** A reference without a usable secret. The message says what would be right, and never contains the value. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

const MAX_BYTES = 65_536;

/**
 * Reads the secret that a reference names. `warn` is called if others on this machine can read it.
 * @throws SecretError
 */
export function resolveSecret(ref: SecretRef, env: Env, warn: (message: string) => void = () => {}): Secret {
  // If the secret itself was pasted as the id, it must not end up in a terminal or a log.
  if (scrubShapes(ref.id) !== ref.id)
    throw new SecretError("must name where the secret is, never hold the secret itself");
  switch (ref.source) {
    case "env":
      return fromEnv(ref.id, env);
    case "file":
      return fromFile(ref.id, isPathLike(ref.id) ? `the file ${ref.id}` : "the file that it names", warn);
    case "credential":
      return fromCredential(ref.id, env);
    default:
      throw new SecretError(`unknown source ${ref.source satisfies never}`);
  }
}

// An id is shown only if it looks like one: it may be a secret put there by mistake.
const isVariableLike = (id: string) => /^[A-Z]+(_[A-Z0-9]+)*$/.test(id) && !/(\d.*){5}|.{65}/.test(id);
const isPathLike = (id: string) => /^\.{0,2}\/[\w./-]{1,200}$/.test(id) && !/[^/]{65}/.test(id);

function fromEnv(id: string, env: Env): Secret {
  // The environment object also inherits properties of Object.
  const value = Object.hasOwn(env, id) ? env[id] : undefined;
  const name = isVariableLike(id)
    ? `the environment variable ${id}`
    : "the environment variable that it names";
  if (value === undefined) throw new SecretError(`${name} is not set`);
  return checked(value, name);
}

/** The message for a credential if systemd passed none at all. */
export const OUTSIDE_OF_THE_UNIT =
  "$CREDENTIALS_DIRECTORY is not set: a credential needs LoadCredential= in the systemd unit";

function fromCredential(id: string, env: Env): Secret {
  const directory = env.CREDENTIALS_DIRECTORY;
  if (!directory) throw new SecretError(OUTSIDE_OF_THE_UNIT);
  if (!/^[\w.@:-]+$/.test(id) || id === "." || id === "..")
    throw new SecretError("must be the name of a credential, without a path");
  // systemd protects its directory, and grants access by an ACL, which looks like group permissions.
  return fromFile(join(directory, id), `the credential ${id} of LoadCredential=`, () => {});
}

function fromFile(path: string, name: string, warn: (message: string) => void): Secret {
  let fd: number;
  try {
    // Non-blocking: a FIFO without a writer would block startup forever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new SecretError(`${name} ${whyUnreadable(error)}`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new SecretError(`${name} is not a regular file`);
    if (stat.size > MAX_BYTES) throw new SecretError(`${name} is larger than a secret can be`);
    const text = readFileSync(fd, "utf8");
    if (isReadableByOthers(stat.mode))
      warn(`${name} can be read by others (mode ${octal(stat.mode)}): chmod 600`);
    return checked(text.replace(/\r?\n$/, ""), name);
  } finally {
    closeSync(fd);
  }
}

/** Whether users other than the owner can read a file of this mode. */
export const isReadableByOthers = (mode: number): boolean => (mode & 0o044) !== 0;

/** The permissions of a mode as `chmod` takes them. */
export const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, "0");

// A shorter value is a mistake, and redacting it would mangle ordinary words in the logs.
const SHORTEST = 8;

function checked(value: string, name: string): Secret {
  if (value === "") throw new SecretError(`${name} is empty`);
  // It is sent as an HTTP header, where a line break or other characters would be refused or misread.
  if (/[^\x21-\x7e]/.test(value))
    throw new SecretError(`${name} must hold one line of visible ASCII characters, without spaces`);
  if (value.length < SHORTEST)
    throw new SecretError(`${name} is too short to be a key: it has fewer than ${SHORTEST} characters`);
  return new Secret(value);
}

/** The secrets of everything enabled, from `loadConfig`: by owner (references.ts), and the key in its table. */
export type ResolvedSecrets = Readonly<Record<string, Readonly<Record<string, Secret>>>>;

export const allSecrets = (secrets: ResolvedSecrets): Secret[] =>
  Object.values(secrets).flatMap(Object.values<Secret>);
