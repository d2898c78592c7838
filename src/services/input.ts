// Building blocks for the inputs of operations, and for putting them into a path.

import { z } from "zod";
import type { OutgoingText } from "./operation.ts";

/**
 * An id of a service: any text except white space, invisible characters, and `.` and `..`, which have a meaning in
 * paths. Integers are accepted, too, because services print their ids that way; they stay exact.
 */
export const opaqueId = z.preprocess(
  (value) => (typeof value === "bigint" || Number.isSafeInteger(value) ? String(value) : value),
  z.string().regex(/^(?!\.{1,2}$)[^\p{C}\s]{1,200}$/u, "must be an id, without white space"),
);

/** Text of one line, such as a name or a number that is searched for. */
export const line = z.string().regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,500}$/u, "must be one line of text");

/** Text of any length that a person reads. */
export const prose = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed(), "must be well-formed Unicode");

/**
 * An object whose fields only the service knows. zod silently drops a field named `__proto__`, but what is approved
 * must be what was proposed, so it is refused.
 */
export const freeForm = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value, context) => {
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__"))
      context.addIssue({ code: "custom", path: ["__proto__"], message: "is not allowed as a field name" });
    return value;
  }, schema);

/** One segment of a path, whatever the text: it can neither end the segment nor leave the path. */
export const segment = (id: string): string => {
  if (id === "" || id === "." || id === "..") throw new TypeError("must be a single path segment");
  return encodeURIComponent(id);
};

/** The fields that are present. */
export const present = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  // Object.fromEntries forgets the types of the fields.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };

/** Every string in a JSON value, with its place; names of members count as strings, too. */
export function textsIn(value: unknown, path: OutgoingText["path"]): OutgoingText[] {
  const texts: OutgoingText[] = [];
  const walk = (part: unknown, path: OutgoingText["path"], name?: string) => {
    const isText = typeof part === "string";
    if (isText || name !== undefined)
      texts.push({ path, text: isText ? part : "", ...(name !== undefined && { name }) });
    if (Array.isArray(part)) for (const [index, item] of part.entries()) walk(item, [...path, index]);
    else if (typeof part === "object" && part !== null)
      for (const [key, member] of Object.entries(part)) walk(member, [...path, key], key);
  };
  walk(value, path);
  return texts;
}

/** The fields of an answer of any shape; none if it is not an object. */
export const fieldsOf = (body: unknown): Record<string, unknown> =>
  typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : {};
