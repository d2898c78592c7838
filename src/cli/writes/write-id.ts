// Completes the id of a write from the part that a person typed.

import type { SummaryPage } from "../../client/writes.ts";
import type { CliContext } from "../context.ts";
import { Failed } from "../problem.ts";
import type { Role } from "../sockets.ts";

const SHORTEST = 4;
/** The length of every write id (a ULID). */
const WHOLE = 26;
/** How many of the newest writes are searched. */
const NEWEST = 200;

/**
 * The whole id: as given, or the only one among the newest writes that begins (or ends) with it. Without a match, the
 * daemon has to refuse it. @param role the socket to search over @throws Failed `ambiguous_write`
 */
export async function wholeId(
  { client, io }: CliContext,
  given: string,
  abbreviated: "beginning" | "either end",
  role: Role,
): Promise<string> {
  if (given.length >= WHOLE || given.length < SHORTEST) return given;
  const ids: string[] = [];
  // A page may be shorter.
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
