// The arguments of a tool: accepts the ways in which models write a number, an object or nothing.

import { z } from "zod";
import { consumerName, integer } from "../contract/api/fields.ts";
import { parseJson } from "../core/exact-json.ts";
import { explainValue } from "../core/explain-issue.ts";
import { isObject } from "../core/is-object.ts";
import { placesOfIssues } from "../core/text/wrong-places.ts";
import { portableSchema } from "./portable.ts";
import { type Tool, ToolError } from "./tool.ts";

/** Also accepts a string of digits, since models send integers that way. */
export const whole = (min: number, max: number, description: string) =>
  integer(min, max).describe(description);

export const text = (most: number, description: string) => {
  const words = `must be a text of 1 to ${most} characters`;
  const error = ({ input }: { input?: unknown }) => (input === undefined ? `is missing: ${words}` : words);
  return z.string({ error }).min(1, { error }).max(most, { error }).describe(description);
};

export const consumer = consumerName
  .optional()
  .describe(
    "The consumer whose place in the log counts; left out: the one that this server was started with",
  );

/** Parses text that is JSON: models send objects as strings. */
const fromJsonText = (value: unknown) => {
  if (typeof value !== "string") return value;
  try {
    return parseJson(value);
  } catch {
    return value;
  }
};

/** An object of any shape; its content is checked elsewhere. */
export const object = (description: string) =>
  z
    .preprocess(fromJsonText, z.record(z.string(), z.unknown(), { error: "must be an object" }))
    .describe(description);

export const offset = whole(
  0,
  100_000_000,
  "Where to go on in the JSON text of a single thing that is longer than one answer, as the answer before says",
).optional();

const MOST_PLACES = 5;

/** @throws ToolError `invalid_arguments`: each problem with its place, and what the tool accepts */
export function parseArguments({ name, input }: Tool, args: unknown): unknown {
  const parsed = input.safeParse(withoutBlanks(args), { error: explainValue });
  if (parsed.success) return parsed.data;
  const { text } = placesOfIssues(parsed.error.issues, MOST_PLACES, {
    unknownField: "is no argument of this tool",
    of: ({ path, message }) => ({ path: z.core.toDotPath(path), message }),
  });
  const taken = Object.keys(portableSchema(input).properties ?? {});
  const takes = taken.length > 0 ? `It takes ${taken.join(", ")}` : "It takes no arguments";
  throw new ToolError("invalid_arguments", `${name}: ${text}. ${takes}.`);
}

/** Nulls and empty strings count as missing: models fill in every argument that they are shown. */
const withoutBlanks = (args: unknown): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(isObject(args) ? args : {}).filter(([, value]) => value !== null && value !== ""),
  );
