// The fingerprint of a statement, for a person who compares it with what another screen shows.

import { fingerprintOf } from "../../core/fingerprint.ts";
import type { Output } from "../terminal/output.ts";

/** On stderr: what is signed is on stdout, to the last byte. */
export async function noteFingerprint({ note }: Output, statement: string): Promise<void> {
  const { hex, words } = await fingerprintOf(statement);
  note(`fingerprint ${hex.join(" ")}`);
  note(`in words    ${words.join(" ")}`);
}
