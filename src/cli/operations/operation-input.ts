// The input of an operation from `key=value` arguments, each typed by the operation's schema.

import { isObject } from "../../core/is-object.ts";
import { nearest } from "../../core/text/nearest.ts";
import { WrongUsage } from "../problem.ts";
import { type Field, fieldOf, itemsOf, type Schema } from "./json-schema.ts";
import { describe, json, read } from "./typed-value.ts";

type Members = Record<string, unknown>;

/**
 * The input: `base` plus the arguments. `key=value` is parsed by the schema at that key, `key:=JSON` as JSON; `a.b=1`
 * is inside an object, `a.0.b=1` inside an array; a repeated key appends to its array. Integers above 2^53 are bigint.
 * Without a type in the schema, the value is text.
 * @throws WrongUsage
 */
export function buildInput(base: unknown, args: readonly string[], schema: Schema): unknown {
  if (args.length === 0) return base;
  if (!isObject(base)) throw new WrongUsage("With key=value arguments, --input must be a JSON object.");
  const given = new Map<string, { argument: Argument; texts: string[] }>();
  for (const arg of args) {
    const argument = split(arg);
    const before = given.get(argument.key);
    if (before && (before.argument.isRaw || argument.isRaw))
      throw new WrongUsage(`${argument.key} is given twice.`);
    if (before) before.texts.push(argument.text);
    else given.set(argument.key, { argument, texts: [argument.text] });
  }

  const input = copy(base) as Members; // it was one before
  const placed = [...given.values()]
    .map(({ argument, texts }) => {
      const { path, field } = locate(argument.key, schema);
      const value = argument.isRaw
        ? json(argument.text, argument.key)
        : read(texts, field, argument.key, schema);
      return { path, value, key: argument.key };
    })
    // An object given as a whole comes before its members.
    .sort((a, b) => a.path.length - b.path.length);
  for (const { path, value, key } of placed) place(input, path, value, key);
  return input;
}

interface Argument {
  key: string;
  text: string;
  isRaw: boolean;
}

function split(arg: string): Argument {
  const at = arg.indexOf("=");
  if (at < 1 || arg.startsWith(":="))
    throw new WrongUsage(`"${arg}" is not an argument: write key=value or key:=JSON.`);
  const isRaw = arg[at - 1] === ":";
  return { key: arg.slice(0, isRaw ? at - 1 : at), text: arg.slice(at + 1), isRaw };
}

/** One step into a value: the name of a member, or the index of an element. */
interface Step {
  name: string;
  isIndex: boolean;
}

/** Where a key points, step by step, and the field there. */
function locate(key: string, schema: Schema): { path: Step[]; field: Field } {
  const path: Step[] = [];
  let field = fieldOf(schema, schema);
  let rest = key;
  for (;;) {
    const name = nextName(rest, field);
    if (name === "") throw new WrongUsage(`"${key}" has an empty part.`);
    const inside = memberOf(field, name);
    if (inside === undefined) throw unknownKey(key, path, name, field);
    path.push({ name, isIndex: inside.isIndex });
    field = fieldOf(inside.schema, schema);
    if (rest === name) return { path, field };
    rest = rest.slice(name.length + 1);
  }
}

/** A name that contains dots is used if the schema has one; else the dot ends the name. */
function nextName(rest: string, { names }: Field): string {
  const declared = names.filter((name) => rest === name || rest.startsWith(`${name}.`));
  declared.sort((a, b) => b.length - a.length);
  return declared[0] ?? rest.split(".", 1)[0] ?? "";
}

function memberOf(field: Field, name: string): { schema: Schema; isIndex: boolean } | undefined {
  const member = takesObjects(field) ? field.member(name) : undefined;
  if (member) return { schema: member, isIndex: false };
  if (field.kinds.has("array") && /^(0|[1-9]\d{0,3})$/.test(name))
    return { schema: itemsOf(field), isIndex: true };
  return undefined;
}

const takesObjects = ({ kinds }: Field) => kinds.has("object") || kinds.has("any");

function unknownKey(key: string, path: Step[], name: string, field: Field): WrongUsage {
  const where = pathText(path);
  if (!takesObjects(field))
    return new WrongUsage(`${where} has no fields, so "${key}" is not possible: it is ${describe(field)}.`);
  const prefix = where ? `${where}.` : "";
  const like = nearest(name, field.names).map((one) => prefix + one);
  const names = field.names.map((one) => prefix + one).join(", ");
  // The suggestions are only a guess by spelling, so all names are listed, too.
  const guess = like.length > 0 ? `Did you mean ${like.join(" or ")}? ` : "";
  return new WrongUsage(
    `There is no "${prefix}${name}". ${guess}${names ? `There are: ${names}.` : "It takes no arguments."}`,
  );
}

const pathText = (path: Step[]) => path.map(({ name }) => name).join(".");

function place(root: Members, path: Step[], value: unknown, key: string): void {
  let at: object = root;
  for (const [index, { name }] of path.entries()) {
    if (Array.isArray(at) && Number(name) > at.length)
      throw new WrongUsage(`${key}: the elements before it are missing; they count from 0.`);
    const next = path[index + 1];
    if (!next) {
      define(at, name, value);
      return;
    }
    if (!Object.hasOwn(at, name)) define(at, name, next.isIndex ? [] : {});
    const inner: unknown = at[name as keyof typeof at]; // it has it now
    if (next.isIndex ? !Array.isArray(inner) : !isObject(inner))
      throw new WrongUsage(`${pathText(path.slice(0, index + 1))} is given both as a value and in parts.`);
    at = inner as object; // just looked at
  }
}

/** Also for "__proto__", which an assignment would not make a member. */
const define = (at: object, name: string, value: unknown) =>
  void Object.defineProperty(at, name, { value, writable: true, enumerable: true, configurable: true });

const copy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(copy);
  if (!isObject(value)) return value;
  const members: Members = {};
  for (const [name, member] of Object.entries(value)) define(members, name, copy(member));
  return members;
};
