// The fingerprint of a statement, for a person to compare with another screen.

import { fingerprintOf } from "../../core/fingerprint.ts";
import type { Output } from "../terminal/output.ts";

/** On stderr: stdout has the exact bytes to sign. */
export async function noteFingerprint({ note }: Output, statement: string): Promise<void> {
  const { hex, words } = await fingerprintOf(statement);
  note(`fingerprint ${hex.join(" ")}`);
  note(`in words    ${words.join(" ")}`);
}
