// Keyset pagination: each page begins after the last row of the previous one, so that rows that come and go neither
// hide nor repeat others. The position is an opaque cursor.

import { z } from "zod";
import { parseJson, stringifyJson } from "../../core/exact-json.ts";
import { OperationError } from "../operation.ts";
import { quoted } from "./query.ts";

/** A column that rows are ordered by. NULLs are where PostgreSQL puts them: last, and first if `descending`. */
export interface Sort {
  column: string;
  descending?: boolean;
  /** NULLs last although `descending`. */
  nullsLast?: boolean;
}

type Key = string | number | bigint | boolean | null;
type Row = Record<string, unknown>;

export interface Keyset {
  /** As in PostgREST's `order`. */
  order: string;
  /** A cursor of this order, as a caller sends it back. */
  cursor(): z.ZodString;
  /** PostgREST's `or`: what comes after the cursor. @throws OperationError for a cursor of another order */
  after(cursor: string): string;
  /** @throws OperationError if a value of the row cannot be compared exactly */
  cursorOf(row: Row): string;
}

/**
 * The last of the columns must be unique. A timestamp stays PostgREST's string: a Date would drop its microseconds, and
 * then no row would equal it.
 */
export function createKeyset(sorts: readonly Sort[]): Keyset {
  const order = sorts.map(orderOf).join(",");

  const read = (cursor: string): Key[] | undefined => {
    try {
      const [of, ...keys] = cursorSchema.parse(parseJson(Buffer.from(cursor, "base64url").toString()));
      return of === order && keys.length === sorts.length ? keys : undefined;
    } catch {
      return undefined;
    }
  };

  return {
    order,
    cursor: () =>
      z
        .string()
        .max(LONGEST_CURSOR)
        .refine((cursor) => read(cursor) !== undefined, "must be `next` from an answer with the same order"),
    after(cursor) {
      const keys = read(cursor);
      if (!keys) throw new OperationError("refused", "The cursor does not belong to this order of rows.");
      const alternatives = sorts.flatMap((sort, index) => {
        const equal = sorts.slice(0, index).map((before, at) => isEqual(before, keys[at] ?? null));
        return isAfter(sort, keys[index] ?? null).map((after) => allOf([...equal, after]));
      });
      return `(${alternatives.join(",")})`;
    },
    cursorOf(row) {
      const keys = sorts.map(({ column }) => keyOf(row, column));
      return Buffer.from(stringifyJson([order, ...keys])).toString("base64url");
    },
  };
}

const LONGEST_CURSOR = 4000;
const cursorSchema = z.tuple(
  [z.string()],
  z.union([z.string(), z.number(), z.bigint(), z.boolean(), z.null()]),
);

const orderOf = ({ column, descending, nullsLast }: Sort): string =>
  [column, descending ? "desc" : "asc", ...(nullsLast ? ["nullslast"] : [])].join(".");

const allOf = (conditions: string[]): string =>
  conditions.length === 1 ? conditions.join() : `and(${conditions.join(",")})`;

const isEqual = ({ column }: Sort, key: Key): string =>
  key === null ? `${column}.is.null` : `${column}.eq.${quoted(String(key))}`;

function isAfter({ column, descending = false, nullsLast = !descending }: Sort, key: Key): string[] {
  if (key === null) return nullsLast ? [] : [`${column}.not.is.null`];
  const beyond = `${column}.${descending ? "lt" : "gt"}.${quoted(String(key))}`;
  return nullsLast ? [beyond, `${column}.is.null`] : [beyond];
}

// The digits that a double keeps of every decimal number: further ones may have been rounded.
const EXACT_DIGITS = 15;

function keyOf(row: Row, column: string): Key {
  const value = Object.hasOwn(row, column) ? row[column] : undefined;
  const digits = typeof value === "number" ? String(Math.abs(value)).replace(/\D/g, "").length : 0;
  const isExact = Number.isSafeInteger(value) || digits <= EXACT_DIGITS;
  if (value === null || typeof value === "string" || typeof value === "bigint" || typeof value === "boolean")
    return value;
  if (typeof value === "number" && isExact) return value;
  throw new OperationError(
    "refused",
    `The rows cannot be paged by ${column}, because its values are not exact. Order them by another column.`,
  );
}
