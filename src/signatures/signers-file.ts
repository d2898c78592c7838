// The signers file, in OpenSSH's allowed_signers format. ssh-keygen makes the final decision; this parser finds out
// whether a name is in the file, and with which keys, so that a refusal can say what is wrong.

import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { SignatureError } from "./error.ts";

export interface SignersFile {
  /** The bytes as read, passed to ssh-keygen: the file may change in between. */
  content: Buffer;
  /** Whether a line matches this name. */
  has(signer: string): boolean;
  /** Whether a line for this name has the key, base64 as in a `.pub` file. */
  hasKey(signer: string, publicKey: string): boolean;
  /** The literal names, without patterns. */
  names: readonly string[];
  /** Whether there are patterns, which match names that are unknown here. */
  hasPatterns: boolean;
}

const LARGEST = 2 ** 20;
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/** A name that neither ssh-keygen can take for an option or a pattern, nor a person for two names. */
export const SIGNER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;
export const SIGNER_NAME_ERROR =
  'must be a name of 1 to 128 letters, digits, ".", "-", "_", "@" or "+", beginning with a letter or digit';

/** @throws SignatureError `signers_file_missing`, `signers_file_unreadable`, `signers_file_insecure` */
export function readSignersFile(path: string): SignersFile {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile())
      throw new SignatureError("signers_file_unreadable", `${path}, the file of signers, is not a file.`);
    if (stat.size > LARGEST)
      throw new SignatureError(
        "signers_file_unreadable",
        `${path}, the file of signers, has more than ${LARGEST} bytes.`,
      );
    assertOwn(path, stat);
    return parseSigners(readFileSync(fd));
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    closeSync(fd);
  }
}

function unreadable(path: string, error: unknown): SignatureError {
  if (error instanceof SignatureError) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new SignatureError(
      "signers_file_missing",
      `There is no file of signers at ${path}: make it, or correct approvals.signers.`,
      error,
    );
  return new SignatureError(
    "signers_file_unreadable",
    `The file of signers at ${path} cannot be read${code === "EACCES" ? ": this user may not" : ""}.`,
    error,
  );
}

/** A user who can write to it, or replace it, controls who may decide. */
function assertOwn(path: string, stat: Stats): void {
  const insecure = (what: string, remedy: string) =>
    new SignatureError(
      "signers_file_insecure",
      `The file of signers at ${path} is not trusted: ${what}. ${remedy}`,
    );
  const isTrusted = ({ uid }: Stats) => uid === 0 || uid === process.getuid?.();
  if (!isTrusted(stat))
    throw insecure(
      `it belongs to user ${stat.uid}, neither root nor the user of nexusd`,
      `chown root ${path}`,
    );
  if ((stat.mode & OTHERS_WRITE) !== 0)
    throw insecure("others than its owner can write to it", `chmod go-w ${path}`);
  const directory = dirname(path);
  const above = statSync(directory);
  if ((above.mode & OTHERS_WRITE) !== 0 && (above.mode & STICKY) === 0)
    throw insecure("others can put another one in its place", `chmod go-w ${directory}`);
}

/** Lines that cannot be parsed are left to ssh-keygen, which skips them, too. */
function parseSigners(content: Buffer): SignersFile {
  const lines = content
    .toString("utf8")
    .split(/\r?\n/)
    .flatMap((line) => readLine(line.trim()) ?? []);
  const linesOf = (signer: string) => lines.filter(({ patterns }) => matches(signer, patterns));
  const names = lines.flatMap(({ patterns }) => patterns).filter((one) => SIGNER_NAME.test(one));
  return {
    content,
    has: (signer) => linesOf(signer).length > 0,
    hasKey: (signer, publicKey) => linesOf(signer).some(({ words }) => words.includes(publicKey)),
    names: [...new Set(names)],
    hasPatterns: lines.some(({ patterns }) => patterns.some((one) => /[*?]/.test(one))),
  };
}

interface Line {
  patterns: string[];
  words: string[];
}

/** Principals, quoted or not, then options, the key type, the key, and a comment. */
function readLine(line: string): Line | undefined {
  if (line === "" || line.startsWith("#")) return undefined;
  const [, quoted, plain = "", rest = ""] = /^(?:"([^"]*)"|(\S+))\s+(.*)$/.exec(line) ?? [];
  const principals = quoted ?? plain;
  if (principals === "") return undefined;
  return { patterns: principals.split(","), words: rest.split(/\s+/) };
}

/** Matches a pattern list like OpenSSH: a negated pattern that matches takes precedence. */
function matches(name: string, patterns: readonly string[]): boolean {
  let isMatched = false;
  for (const pattern of patterns) {
    const isNegated = pattern.startsWith("!");
    if (!wildcard(isNegated ? pattern.slice(1) : pattern).test(name)) continue;
    if (isNegated) return false;
    isMatched = true;
  }
  return isMatched;
}

const wildcard = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/\*+/g, ".*")
      .replaceAll("?", ".")}$`,
    "s",
  );
