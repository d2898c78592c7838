// The keys that encrypt stored session keys and tokens: the first encrypts, all of them decrypt.
// A stored secret is "v1:<id of the key>:<base64url of nonce, ciphertext and tag>", AES-256-GCM; the name that it is
// stored under is authenticated with it, so that two secrets cannot be swapped.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Keyring {
  /** The ids of its keys, which reveal nothing about them: the first encrypts. */
  readonly ids: readonly string[];
  encrypt(name: string, value: string): string;
  /** @returns undefined if it was encrypted with none of the keys; @throws Error if it was tampered with */
  decrypt(name: string, stored: string): string | undefined;
  /** Whether it is encrypted with the first key. */
  isCurrent(stored: string): boolean;
}

/** 32 bytes as base64, base64url or hex; undefined: it is something else. */
export function parseKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed)
    ? Buffer.from(trimmed, "hex")
    : /^[\w+/-]{43}=?$/.test(trimmed)
      ? Buffer.from(trimmed, "base64")
      : undefined;
  return key?.length === KEY_BYTES ? key : undefined;
}

/** @param keys at least one, of 32 bytes each */
export function createKeyring(keys: readonly Buffer[]): Keyring {
  const known = new Map(keys.map((key) => [idOf(key), key]));
  const [first] = keys;
  if (!first) throw new Error("a keyring has a key");
  const current = idOf(first);
  return {
    ids: keys.map(idOf),
    encrypt(name, value) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", first, nonce).setAAD(Buffer.from(name));
      const sealed = Buffer.concat([
        nonce,
        cipher.update(value, "utf8"),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return `v1:${current}:${sealed.toString("base64url")}`;
    },
    decrypt(name, stored) {
      const [version, id = "", text = ""] = stored.split(":");
      const key = version === "v1" ? known.get(id) : undefined;
      if (!key) return undefined;
      const sealed = Buffer.from(text, "base64url");
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(name))
        .setAuthTag(sealed.subarray(-TAG_BYTES));
      const opened = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([opened, decipher.final()]).toString("utf8");
    },
    isCurrent: (stored) => stored.startsWith(`v1:${current}:`),
  };
}

/** Identifies a key without revealing anything about it. */
const idOf = (key: Buffer): string =>
  createHash("sha256").update("nexusd encryption key\n").update(key).digest("hex").slice(0, 16);
