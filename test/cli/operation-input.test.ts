import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Schema } from "../../src/cli/operations/json-schema.ts";
import { buildInput } from "../../src/cli/operations/operation-input.ts";
import { WrongUsage } from "../../src/cli/problem.ts";
import { stringifyJson } from "../../src/core/exact-json.ts";
import { nearest } from "../../src/core/text/nearest.ts";
import fc from "../support/fc.ts";

const schemaOf = (type: z.ZodType) => z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Schema; // zod's own output
const SCHEMA = schemaOf(
  z.strictObject({
    orderId: z.string(),
    status: z.enum(["paid", "shipped"]).optional(),
    count: z.int().optional(),
    price: z.number().optional(),
    notify: z.boolean().optional(),
    note: z.string().nullable().optional(),
    due: z.int().nullable().optional(),
    id: z.union([z.int(), z.bigint()]).optional(),
    tags: z.array(z.string()).optional(),
    ids: z.array(z.int()).optional(),
    attributes: z.record(z.string(), z.unknown()).optional(),
    address: z
      .strictObject({ city: z.string(), geo: z.strictObject({ lat: z.number() }).optional() })
      .optional(),
    lines: z.array(z.strictObject({ sku: z.string(), count: z.int() })).optional(),
    "dotted.name": z.string().optional(),
    anything: z.unknown().optional(),
    target: z
      .discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("a"), size: z.int() }),
        z.strictObject({ kind: z.literal("b"), name: z.string() }),
      ])
      .optional(),
  }),
);
const build = (...args: string[]) => buildInput({}, args, SCHEMA);
const refused = (...args: string[]) => {
  try {
    build(...args);
  } catch (error) {
    if (error instanceof WrongUsage) return error.message;
    throw error;
  }
  return "accepted";
};

describe("key=value arguments", () => {
  it.each<[string, unknown]>([
    ["orderId=007", { orderId: "007" }],
    ["orderId=true", { orderId: "true" }],
    ["orderId=", { orderId: "" }],
    ["orderId=a=b:=c", { orderId: "a=b:=c" }],
    ["status=paid", { status: "paid" }],
    ["count=-3", { count: -3 }],
    ["price=1.5e2", { price: 150 }],
    ["notify=false", { notify: false }],
    ["note=null", { note: "null" }],
    ["note:=null", { note: null }],
    ["due=null", { due: null }],
    ["id=48066188026052610", { id: 48066188026052610n }],
    ["count:=48066188026052610", { count: 48066188026052610n }],
    ["tags=a", { tags: ["a"] }],
    ['tags=["a","b"]', { tags: ["a", "b"] }],
    ["ids=7", { ids: [7] }],
    ["attributes.name=Acme", { attributes: { name: "Acme" } }],
    ["attributes.a.b.c=1", { attributes: { a: { b: { c: "1" } } } }],
    ["attributes.size:=12", { attributes: { size: 12 } }],
    ['attributes={"a":[1]}', { attributes: { a: [1] } }],
    ["address.city=Bonn", { address: { city: "Bonn" } }],
    ["address.geo.lat=50.7", { address: { geo: { lat: 50.7 } } }],
    ["lines.0.count=2", { lines: [{ count: 2 }] }],
    ["dotted.name=x", { "dotted.name": "x" }],
    ["anything=12", { anything: "12" }],
    ["anything.inner=x", { anything: { inner: "x" } }],
    ["target.size=3", { target: { size: 3 } }],
    ["target.kind=b", { target: { kind: "b" } }],
  ])("%s is typed by the schema", (arg, input) => {
    expect(build(arg)).toStrictEqual(input);
  });

  it("are combined: repeated keys to an array, dotted ones to an object, in any order", () => {
    expect(build("tags=a", "ids=1", 'tags=["b","c"]', "ids=2")).toStrictEqual({
      tags: ["a", "b", "c"],
      ids: [1, 2],
    });
    expect(build("attributes.b=2", 'attributes:={"a":1}')).toStrictEqual({ attributes: { a: 1, b: "2" } });
    expect(build("lines.0.sku=x", "lines.1.sku=y", "lines.0.count=1")).toStrictEqual({
      lines: [{ sku: "x", count: 1 }, { sku: "y" }],
    });
  });

  it("are added to --input, whose other fields stay unchanged", () => {
    const base = { orderId: "a", attributes: { kept: 1 } };
    expect(buildInput(base, ["orderId=b", "attributes.added=2"], SCHEMA)).toStrictEqual({
      orderId: "b",
      attributes: { kept: 1, added: "2" },
    });
    expect(base).toStrictEqual({ orderId: "a", attributes: { kept: 1 } });
  });

  it.each([
    [["order_id=1"], /no "order_id"\. Did you mean orderId\? There are: orderId, status, /],
    [["orderld=1"], /Did you mean orderId\?/],
    [["frobnicate=1"], /no "frobnicate"\. There are: orderId, status, /],
    [["address.town=1"], /no "address\.town"\. There are: address\.city, address\.geo/],
    [["address.ctiy=1"], /Did you mean address\.city\?/],
    [["orderId.x=1"], /orderId has no fields.*it is text/],
    [["status=lost"], /status must be one of paid, shipped, not "lost"/],
    [["count=1.5"], /count must be a whole number, not "1\.5"/],
    [["count=0x10"], /count must be a whole number/],
    [["price=NaN"], /price must be a number/],
    [["price=1e999"], /price must be a number/],
    [["notify=yes"], /notify must be true or false/],
    [["due="], /due must be a whole number or null, not ""/],
    [["ids=a"], /ids must be a whole number/],
    [["address=Bonn"], /address must be an object, not "Bonn": write address\.name=value/],
    [["orderId=a", "orderId=b"], /orderId is given twice/],
    [["tags:=[]", "tags=b"], /tags is given twice/],
    [["attributes:=1", "attributes.a=2"], /attributes is given both as a value and in parts/],
    [["lines.1.sku=x"], /elements before it are missing/],
    [["count:=x"], /count is not valid JSON/],
    [["attributes..a=1"], /empty part/],
    [["orderId"], /"orderId" is not an argument/],
    [["=x"], /is not an argument/],
    [[":=x"], /is not an argument/],
  ])("%j is refused with a remedy", (args, message) => {
    expect(refused(...args)).toMatch(message);
  });

  it("cannot reach a prototype", () => {
    const input = build("attributes.__proto__.polluted=1", "attributes.constructor=x") as {
      attributes: object;
    };
    expect(Object.keys(input.attributes)).toStrictEqual(["constructor", "__proto__"]);
    expect("polluted" in {}).toBe(false);
    expect(stringifyJson(input)).toBe('{"attributes":{"constructor":"x","__proto__":{"polluted":"1"}}}');
    expect(refused("__proto__.x=1")).toMatch(/no "__proto__"/);
  });

  it("carry any text and any whole number exactly", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.bigInt(), (text, integer) => {
        const input = build(`orderId=${text}`, `count=${integer}`, `attributes.x=${text}`);
        expect(stringifyJson(input)).toBe(
          `{"orderId":${JSON.stringify(text)},"count":${integer},"attributes":{"x":${JSON.stringify(text)}}}`,
        );
      }),
    );
  });

  it("are typed by foreign schemas too: references, recursion, missing types", () => {
    const schema: Schema & Record<string, unknown> = {
      type: "object",
      properties: { node: { $ref: "#/$defs/node" }, flag: { const: true }, size: { enum: [1, 2] }, open: {} },
      $defs: { node: { properties: { next: { $ref: "#/$defs/node" }, n: { type: ["integer", "null"] } } } },
    };
    expect(buildInput({}, ["node.next.next.n=3", "flag=true", "size=2", "other=x"], schema)).toStrictEqual({
      node: { next: { next: { n: 3 } } },
      flag: true,
      size: 2,
      other: "x",
    });
    expect(buildInput({}, ["a=1"], {})).toStrictEqual({ a: "1" });
  });
});

describe("suggestions for a mistyped name", () => {
  it("are the nearest first, and none if nothing is near", () => {
    expect(nearest("nexus.order.update_status", ["nexus.orders.list", "nexus.orders.update_status"])[0]).toBe(
      "nexus.orders.update_status",
    );
    expect(nearest("stauts", ["status", "state", "orderId"])[0]).toBe("status");
    expect(nearest("xyz", ["status", "orderId"])).toStrictEqual([]);
    expect(nearest("x".repeat(1e6), ["status"])).toStrictEqual([]);
  });
});
