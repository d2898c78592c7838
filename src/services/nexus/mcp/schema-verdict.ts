// Evaluates a JSON Schema (drafts 4 to 2020-12) for a value, with three verdicts: valid, invalid with its reasons, or
// unknown. Patterns and formats are unknown: an untrusted pattern could block nexusd's one thread forever, and servers
// disagree on formats. External schemas are never fetched. The work is bounded, whatever the schema.

import { isSameJson } from "./same-json.ts";
import {
  all,
  decoded,
  isMultiple,
  isNumber,
  isObject,
  isOfType,
  met,
  noneOf,
  type Path,
  type Schema,
  shown,
  typesOf,
  type Verdict,
} from "./schema-values.ts";

const MOST_STEPS = 50_000;
const DEEPEST = 100;
const KNOWN_DRAFT = /^https?:\/\/json-schema\.org\/draft(-0[4567]|\/2019-09|\/2020-12)\/schema#?$/;
/** In these drafts `$ref` overrides its sibling keywords. */
const OLD_DRAFT = /draft-0[4567]\//;

export interface Verdicts {
  /** Whether the draft of the schema is supported. */
  canRead: boolean;
  /** The schema that a local reference names; undefined: there is none, or it is elsewhere. */
  resolve(reference: unknown): unknown;
  /** @throws RangeError when the limit of work for one input is reached */
  of(schema: unknown, value: unknown, path: Path): Verdict;
}

export function createVerdicts(root: Schema): Verdicts {
  const { $schema: draft } = root;
  const canRead = draft === undefined || (typeof draft === "string" && KNOWN_DRAFT.test(draft));
  const isOld = typeof draft === "string" && OLD_DRAFT.test(draft);
  let steps = 0;
  let depth = 0;

  const step = (count = 1) => {
    steps += count;
    if (steps > MOST_STEPS) throw new RangeError("the schema takes too many steps");
  };

  const resolve = (reference: unknown): unknown => {
    if (typeof reference !== "string" || !/^#(\/|$)/.test(reference)) return undefined;
    let found: unknown = root;
    for (const part of reference.split("/").slice(1)) {
      const name = decoded(part);
      if (name === undefined || typeof found !== "object" || found === null) return undefined;
      if (!Object.hasOwn(found, name)) return undefined;
      found = (found as Schema)[name]; // an object or list, by an own name
    }
    return found;
  };

  const of = (schema: unknown, value: unknown, path: Path): Verdict => {
    step();
    if (schema === true) return "valid";
    if (schema === false) return [{ path, message: "is not allowed" }];
    // A schema with an address of its own has references that are relative to it.
    if (!isObject(schema) || !canRead || (schema !== root && typeof schema.$id === "string"))
      return "unknown";
    if (++depth > DEEPEST) throw new RangeError("the schema is nested too deeply");
    try {
      const referred = "$ref" in schema ? byReference(schema.$ref, value, path) : undefined;
      if (referred !== undefined && isOld) return referred;
      return all([
        referred ?? "valid",
        ...own(schema, value, path),
        ...combined(schema, value, path),
        ...inObject(schema, value, path),
        ...inList(schema, value, path),
      ]);
    } finally {
      depth--;
    }
  };

  const byReference = (reference: unknown, value: unknown, path: Path): Verdict => {
    const target = resolve(reference);
    return target === undefined ? "unknown" : of(target, value, path);
  };

  /** Keywords about the value as a whole. */
  const own = (schema: Schema, value: unknown, path: Path): Verdict[] => {
    const verdicts: Verdict[] = [];
    const must = (isMet: boolean | undefined, message: string) =>
      verdicts.push(isMet === undefined ? "unknown" : met(isMet, path, message));
    if ("type" in schema) must(isOfType(schema, value), `must be ${typesOf(schema.type).join(" or ")}`);
    if (Array.isArray(schema.enum)) {
      const { enum: allowed } = schema;
      step(allowed.length);
      must(
        allowed.some((one) => isSameJson(one, value, step)),
        `must be one of ${shown(allowed)}`,
      );
    }
    if ("const" in schema) must(isSameJson(schema.const, value, step), `must be ${shown([schema.const])}`);
    if (typeof value === "number" || typeof value === "bigint") {
      const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf } = schema;
      if (isNumber(minimum)) must(value >= minimum, `must be at least ${minimum}`);
      if (isNumber(maximum)) must(value <= maximum, `must be at most ${maximum}`);
      if (isNumber(above)) must(value > above, `must be more than ${above}`);
      if (isNumber(below)) must(value < below, `must be less than ${below}`);
      // In draft 4 this is a boolean that refers to the bound next to it.
      if (above === true || below === true) must(undefined, "");
      if (multipleOf !== undefined)
        must(isMultiple(value, multipleOf), `must be a multiple of ${multipleOf}`);
    }
    if (typeof value === "string") {
      const { minLength, maxLength } = schema;
      step(Math.ceil(value.length / 100));
      const length = isNumber(minLength) || isNumber(maxLength) ? [...value].length : 0;
      if (isNumber(minLength)) must(length >= minLength, `must have at least ${minLength} characters`);
      if (isNumber(maxLength)) must(length <= maxLength, `must have at most ${maxLength} characters`);
      if ("pattern" in schema || "format" in schema) must(undefined, "");
    }
    return verdicts;
  };

  /** Keywords that combine schemas. */
  const combined = (schema: Schema, value: unknown, path: Path): Verdict[] => {
    const verdicts: Verdict[] = [];
    const { allOf, anyOf, oneOf, not } = schema;
    if (Array.isArray(allOf)) verdicts.push(...allOf.map((part) => of(part, value, path)));
    if (Array.isArray(anyOf) && anyOf.length > 0) {
      const each = anyOf.map((part) => of(part, value, path));
      verdicts.push(
        each.includes("valid") ? "valid" : each.includes("unknown") ? "unknown" : noneOf(each, path),
      );
    }
    if (Array.isArray(oneOf) && oneOf.length > 0) {
      const each = oneOf.map((part) => of(part, value, path));
      const fitting = each.filter((verdict) => verdict === "valid").length;
      if (fitting > 1) verdicts.push([{ path, message: "fits more than one of its alternatives" }]);
      else if (each.includes("unknown")) verdicts.push("unknown");
      else verdicts.push(fitting === 1 ? "valid" : noneOf(each, path));
    }
    if ("not" in schema) {
      const verdict = of(not, value, path);
      const opposite: Verdict = verdict === "valid" ? [{ path, message: "is excluded" }] : "valid";
      verdicts.push(verdict === "unknown" ? "unknown" : opposite);
    }
    if ("if" in schema) verdicts.push(conditional(schema, value, path));
    if ("$dynamicRef" in schema || "$recursiveRef" in schema) verdicts.push("unknown");
    return verdicts;
  };

  const conditional = (schema: Schema, value: unknown, path: Path): Verdict => {
    const branch = (name: "then" | "else"): Verdict =>
      name in schema ? of(schema[name], value, path) : "valid";
    const condition = of(schema.if, value, path);
    if (condition === "valid") return branch("then");
    if (condition !== "unknown") return branch("else");
    const [first, second] = [branch("then"), branch("else")];
    return Array.isArray(first) && Array.isArray(second) ? first : first === second ? first : "unknown";
  };

  const inObject = (schema: Schema, value: unknown, path: Path): Verdict[] => {
    if (!isObject(value)) return [];
    const verdicts: Verdict[] = [];
    const names = Object.keys(value);
    step(names.length);
    const { properties, required, additionalProperties, minProperties, maxProperties } = schema;
    const declared = isObject(properties) ? properties : {};
    if (Array.isArray(required))
      for (const name of required)
        if (typeof name === "string" && !Object.hasOwn(value, name))
          verdicts.push([{ path: [...path, name], message: "is required" }]);
    // Which names meet a pattern is not known.
    const isOpen = isObject(schema.patternProperties) && Object.keys(schema.patternProperties).length > 0;
    for (const name of names) {
      const inner = [...path, name];
      if (isOpen) verdicts.push("unknown");
      if (Object.hasOwn(declared, name)) verdicts.push(of(declared[name], value[name], inner));
      else if (additionalProperties === false && !isOpen)
        verdicts.push([{ path: inner, message: "is not one of its fields" }]);
      else if (additionalProperties !== undefined && !isOpen)
        verdicts.push(of(additionalProperties, value[name], inner));
      if ("propertyNames" in schema) verdicts.push(of(schema.propertyNames, name, inner));
    }
    if (isNumber(minProperties))
      verdicts.push(met(names.length >= minProperties, path, `must have at least ${minProperties} fields`));
    if (isNumber(maxProperties))
      verdicts.push(met(names.length <= maxProperties, path, `must have at most ${maxProperties} fields`));
    for (const key of ["dependentRequired", "dependentSchemas", "dependencies"])
      verdicts.push(...dependent(schema[key], value, path));
    if ("unevaluatedProperties" in schema) verdicts.push("unknown");
    return verdicts;
  };

  /** What the presence of a field requires: other fields, or a schema. */
  const dependent = (asked: unknown, value: Schema, path: Path): Verdict[] => {
    if (!isObject(asked)) return [];
    return Object.entries(asked).flatMap(([name, demand]): Verdict[] => {
      step();
      if (!Object.hasOwn(value, name)) return [];
      if (!Array.isArray(demand)) return [of(demand, value, path)];
      return demand
        .filter((other) => typeof other === "string" && !Object.hasOwn(value, other))
        .map((other) => [{ path: [...path, other], message: `is required beside ${name}` }]);
    });
  };

  const inList = (schema: Schema, value: unknown, path: Path): Verdict[] => {
    if (!Array.isArray(value)) return [];
    const verdicts: Verdict[] = [];
    step(value.length);
    const { items, prefixItems, additionalItems, minItems, maxItems, uniqueItems, contains } = schema;
    // Before 2020-12 a list in `items` is what `prefixItems` is now, and `additionalItems` is for the rest.
    const first = Array.isArray(prefixItems) ? prefixItems : Array.isArray(items) ? items : [];
    const rest = Array.isArray(items) ? additionalItems : items;
    for (const [index, item] of value.entries()) {
      const part = index < first.length ? first[index] : rest;
      if (part !== undefined) verdicts.push(of(part, item, [...path, index]));
    }
    if (isNumber(minItems))
      verdicts.push(met(value.length >= minItems, path, `must have at least ${minItems} items`));
    if (isNumber(maxItems))
      verdicts.push(met(value.length <= maxItems, path, `must have at most ${maxItems} items`));
    if (uniqueItems === true) {
      const isRepeated = value.some((one, at) =>
        value.slice(0, at).some((other) => isSameJson(one, other, step)),
      );
      verdicts.push(met(!isRepeated, path, "must not have duplicate items"));
    }
    if (contains !== undefined) {
      const each = value.map((item) => of(contains, item, path));
      const { minContains = 1 } = schema;
      const isPlain = minContains === 1 && schema.maxContains === undefined;
      if (!isPlain || each.includes("unknown"))
        verdicts.push(each.includes("valid") && isPlain ? "valid" : "unknown");
      else verdicts.push(met(each.includes("valid"), path, "lacks an item that it must contain"));
    }
    if ("unevaluatedItems" in schema) verdicts.push("unknown");
    return verdicts;
  };

  return { canRead, resolve, of };
}
