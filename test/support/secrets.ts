// Secrets of the right shape that open nothing, made when a test runs: none of them is in the repository.

import { randomBytes } from "node:crypto";

/** In pieces, so that what looks for secrets in source files finds none. */
export const glued = (...parts: string[]): string => parts.join("");

export const letters = (
  length: number,
  alphabet = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789",
): string => Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join("");
