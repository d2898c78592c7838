// The id of a write from what a person typed of it.

import type { SummaryPage } from "../../client/writes.ts";
import type { CliContext } from "../context.ts";
import { Failed } from "../problem.ts";
import type { Role } from "../sockets.ts";

const SHORTEST = 4;
/** As long as every id of a write is (a ULID). */
const WHOLE = 26;
/** Of the newest writes, this many are looked through. */
const NEWEST = 200;

/**
 * The whole id: as it was given, or the only one among the newest writes that begins (or ends) so. What is like none
 * is left for the daemon to refuse. @param role over which socket they are looked for @throws Failed `ambiguous_write`
 */
export async function wholeId(
  { client, io }: CliContext,
  given: string,
  abbreviated: "beginning" | "either end",
  role: Role,
): Promise<string> {
  if (given.length >= WHOLE || given.length < SHORTEST) return given;
  const ids: string[] = [];
  // A page may end before.
  for (let after: string | null = ""; after !== null && ids.length < NEWEST; ) {
    const page: SummaryPage = await client.writes.summaries({
      ...{ limit: NEWEST - ids.length, after: after || undefined },
      ...{ role, signal: io.signal },
    });
    ids.push(...page.writes.map(({ id }) => id));
    after = page.next;
  }
  const part = given.toUpperCase();
  const like = ids.filter((id) => {
    const whole = id.toUpperCase();
    return whole.startsWith(part) || (abbreviated === "either end" && whole.endsWith(part));
  });
  if (like.length <= 1) return like[0] ?? given;
  throw new Failed({
    title: "More than one write matches",
    status: 409,
    detail: `${like.length} writes match "${given}": ${like.slice(0, 5).join(", ")}${like.length > 5 ? ", …" : ""}.`,
    code: "ambiguous_write",
  });
}
