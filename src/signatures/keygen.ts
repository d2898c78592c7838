// The system's ssh-keygen as a child process: no shell, a deadline, a minimal environment, bounded output.

import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { SignatureError } from "./error.ts";

const PROGRAM = "ssh-keygen";
const USUAL_PATH = "/usr/bin:/bin";
const WITHIN_MS = 5000;
const MOST_OUTPUT = 2 ** 14;

/** Whether it is on the PATH. */
export function hasKeygen(path = process.env.PATH ?? USUAL_PATH): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, PROGRAM), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface Ended {
  code: number;
  /** Its output on stdout and stderr. */
  output: string;
}

/** @throws SignatureError `ssh_keygen_missing`, `ssh_keygen_failed` */
export function runKeygen(args: readonly string[], input: string): Promise<Ended> {
  const { PATH = USUAL_PATH, TZ } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, args, {
      env: { PATH, LC_ALL: "C", ...(TZ !== undefined && { TZ }) },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: WITHIN_MS,
      killSignal: "SIGKILL",
    });
    let output = "";
    const take = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(0, MOST_OUTPUT);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    // If it exits before it has read everything, its output says why.
    child.stdin.on("error", () => {});
    child.once("error", (error) => reject(cannotStart(error)));
    child.once("close", (code, signal) => {
      if (code !== null) resolve({ code, output });
      else
        reject(
          new SignatureError(
            "ssh_keygen_failed",
            `${PROGRAM} did not end within ${WITHIN_MS / 1000} s, or was ended by a signal (${signal}): try again.`,
          ),
        );
    });
    child.stdin.end(input);
  });
}

function cannotStart(error: Error): SignatureError {
  if ("code" in error && error.code === "ENOENT")
    return new SignatureError(
      "ssh_keygen_missing",
      `There is no ${PROGRAM} on this machine: install OpenSSH's client (openssh-client).`,
      error,
    );
  return new SignatureError("ssh_keygen_failed", `${PROGRAM} does not start.`, error);
}

/**
 * Files that only this user can see, in a directory of their own. Written synchronously: a few small files take less
 * time than a round trip to the thread pool.
 */
export function privateFiles<K extends string>(contents: Record<K, string | Buffer>) {
  let directory: string | undefined;
  const remove = () => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  };
  try {
    directory = mkdtempSync(join(tmpdir(), "nexusd-signature-"));
    const paths = {} as Record<K, string>; // filled right below
    for (const [name, content] of Object.entries(contents) as [K, string | Buffer][]) {
      paths[name] = join(directory, name);
      writeFileSync(paths[name], content, { mode: 0o600, flag: "wx" });
    }
    return { paths, remove };
  } catch (error) {
    remove();
    throw new SignatureError(
      "ssh_keygen_failed",
      "Signatures cannot be verified: no temporary file can be written.",
      error,
    );
  }
}

/**
 * Signs a text with a person's key. ssh-keygen asks on the terminal for what the key needs: a passphrase, a touch.
 * @param key a private key, a certificate, or a public key whose private half is in an agent
 * @returns the signature, armored
 * @throws SignatureError `ssh_keygen_missing`, `ssh_keygen_failed`
 */
export function signWithKey(
  text: string,
  key: string,
  namespace: string,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  return new Promise((resolve, reject) => {
    // From stdin to stdout: given a file, it writes beside it, or silently keeps an older signature.
    const args = ["-q", "-Y", "sign", "-n", namespace, "-f", key];
    const child = spawn(PROGRAM, args, { env, stdio: ["pipe", "pipe", "inherit"] });
    let signature = "";
    child.stdout.on("data", (chunk: Buffer) => {
      signature += chunk.toString("utf8");
    });
    child.stdin.on("error", () => {});
    child.once("error", (error) => reject(cannotStart(error)));
    child.once("close", (code) => {
      if (code === 0 && signature !== "") resolve(signature);
      else
        reject(
          new SignatureError("ssh_keygen_failed", `${PROGRAM} did not sign with ${key}: nothing was signed.`),
        );
    });
    child.stdin.end(text);
  });
}
