// Sets one member of a JSON or JSON5 text; every other character stays.

import { isDeepStrictEqual } from "node:util";
import { plainOf, scan, type Value } from "./json5.ts";

/** The place is taken by a value that is not an object. */
export class NoObject extends Error {
  override readonly name = "NoObject";
}

/**
 * The text with `path` set to `value`; unchanged if it has that value already. Missing objects on the way are created;
 * an empty text becomes an object.
 * @throws SyntaxError, NoObject
 */
export function setMember(text: string, path: readonly string[], value: unknown): string {
  const whole = text.trim() === "" ? "{}\n" : text;
  const newline = whole.includes("\r\n") ? "\r\n" : "\n";
  let node = scan(whole);
  for (const [depth, key] of path.entries()) {
    if (node.kind !== "object") throw new NoObject(path.slice(0, depth).join(".") || "the file");
    // Of several members with the same name, the last one counts.
    const member = node.members.findLast((one) => one.key === key);
    if (member === undefined) {
      const inner = path.slice(depth + 1).reduceRight<unknown>((made, name) => ({ [name]: made }), value);
      return insert(whole, node, key, inner, newline);
    }
    node = member.value;
  }
  if (isDeepStrictEqual(plainOf(node), value)) return text;
  const shown = written(value, indentAt(whole, node.start), unitOf(whole), newline);
  return whole.slice(0, node.start) + shown + whole.slice(node.end);
}

function insert(
  text: string,
  object: Value & { kind: "object" },
  key: string,
  value: unknown,
  newline: string,
): string {
  const unit = unitOf(text);
  const last = object.members.at(-1);
  const outer = indentAt(text, object.start);
  if (last === undefined) {
    const member = `${JSON.stringify(key)}: ${written(value, outer + unit, unit, newline)}`;
    // An empty object contains only comments.
    const inside = text.slice(object.start + 1, object.end - 1).trimEnd();
    const body = `{${inside}${newline}${outer}${unit}${member}${newline}${outer}}`;
    return text.slice(0, object.start) + body + text.slice(object.end);
  }
  const first = object.members[0] ?? last;
  const isOnOneLine = !text.slice(object.start, first.value.start).includes("\n");
  const indent = isOnOneLine ? outer : indentAt(text, first.value.start);
  const member = `${JSON.stringify(key)}: ${written(value, indent, unit, newline)}`;
  const comma = commaBehind(text, last.value.end);
  if (isOnOneLine) {
    const at = comma ?? last.value.end;
    return `${text.slice(0, at)}${comma === undefined ? "," : ""} ${member}${text.slice(at)}`;
  }
  // After a comment on the same line: it belongs to what stood there before.
  const end = comma ?? last.value.end;
  const rest = /^[^\S\r\n]*(?:\/\/[^\r\n]*|\/\*[^\r\n]*?\*\/[^\S\r\n]*)?/.exec(text.slice(end))?.[0] ?? "";
  const kept = comma === undefined ? `,${rest}` : rest;
  const tail = comma === undefined ? "" : ",";
  return `${text.slice(0, end)}${kept.trimEnd()}${newline}${indent}${member}${tail}${text.slice(end + rest.length)}`;
}

/** The position after the next comma, past blanks and comments; undefined: there is none. */
function commaBehind(text: string, from: number): number | undefined {
  const between = /^(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*,/.exec(text.slice(from))?.[0];
  return between === undefined ? undefined : from + between.length;
}

const indentAt = (text: string, place: number): string =>
  /[^\S\r\n]*/.exec(text.slice(text.lastIndexOf("\n", place - 1) + 1))?.[0] ?? "";

/** The unit of indentation: that of the first indented line. */
const unitOf = (text: string): string => /\n([ \t]+)\S/.exec(text)?.[1] ?? "  ";

const written = (value: unknown, indent: string, unit: string, newline: string): string =>
  JSON.stringify(value, null, unit).replaceAll("\n", `${newline}${indent}`);
