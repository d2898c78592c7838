// What is wrong with an input, place by place, for its sender: the first few places, and how many there are.

import { z } from "zod";

export interface WrongPlace {
  /** As one would write it in code: "limit", "types[0]". */
  path: string;
  message: string;
}

export interface WrongPlaces {
  places: WrongPlace[];
  /** All of them, with the first few named; without a full stop. */
  text: string;
}

/** At most `most` of them. */
export function wrongPlaces(all: readonly WrongPlace[], most: number, count = all.length): WrongPlaces {
  const places = all.slice(0, most);
  const named = places.map(({ path, message }) => (path === "" ? message : `${path} ${message}`)).join("; ");
  return { places, text: count > places.length ? `${named}; and ${count - places.length} more` : named };
}

/** From a schema's issues. An unknown field counts as a place of its own. */
export function placesOfIssues(
  issues: readonly z.core.$ZodIssue[],
  most: number,
  words: { unknownField: string; of(issue: z.core.$ZodIssue): WrongPlace },
): WrongPlaces {
  const found: WrongPlace[] = [];
  let count = 0;
  for (const issue of issues) {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : undefined;
    count += keys?.length ?? 1;
    // The rest is only counted: there may be as many as there are values in a body.
    if (found.length >= most) continue;
    if (!keys) found.push(words.of(issue));
    else
      for (const key of keys.slice(0, most - found.length))
        found.push({ path: z.core.toDotPath([...issue.path, key]), message: words.unknownField });
  }
  return wrongPlaces(found, most, count);
}
