// Well-formed secrets that open nothing, generated when a test runs: none of them is in the repository.

import { randomBytes } from "node:crypto";

/** In pieces, so secret scanners find none in the source. */
export const glued = (...parts: string[]): string => parts.join("");

export const letters = (
  length: number,
  alphabet = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789",
): string => Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join("");
