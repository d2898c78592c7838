// The catalogue: one operation for a name, each fit to be listed.

import { expect, test } from "vitest";
import { catalogue, createCatalogue, summaries } from "../../src/services/catalogue.ts";
import { operationNamed } from "./operations/support.ts";

test("operations are listed by name", () => {
  const names = catalogue.all().map(({ name }) => name);
  expect(names).toEqual(names.toSorted());
  expect(catalogue.get("nexus.orders.get")?.name).toBe("nexus.orders.get");
  for (const name of ["", "nexus.orders", "NEXUS.ORDERS.GET", "toString", "__proto__"])
    expect(catalogue.get(name)).toBeUndefined();
});

test("two operations with one name, or one with another service's name, are refused at loading", () => {
  const one = operationNamed("nexus.orders.get");
  expect(() => createCatalogue([one, one])).toThrow("two operations are named nexus.orders.get");
  for (const name of ["nex.orders.get", "nexus.orders", "nexus.orders.get.all", "nexus.Orders.get"])
    expect(() => createCatalogue([{ ...one, name }])).toThrow(/must be nexus\.noun\.verb/);
});

test("a mistyped name finds the intended one", () => {
  expect(catalogue.near("nexus.order.get")[0]).toBe("nexus.orders.get");
  expect(catalogue.near("messaging.message.send")[0]).toBe("messaging.messages.send");
  expect(catalogue.near("nexus.orders.update-status")[0]).toBe("nexus.orders.update_status");
  expect(catalogue.near("x")).toEqual([]);
  expect(catalogue.near("x".repeat(100_000))).toEqual([]);
});

test("every operation is listed with its effect, its current policy, and a strict schema in which every field is described", () => {
  const listed = summaries((operation) => (operation.service === "messaging" ? "auto" : "operator"));
  expect(listed).toHaveLength(catalogue.all().length);
  for (const { name, service, effect, approval, inputSchema } of listed) {
    expect(approval).toBe(effect === "read" ? null : service === "messaging" ? "auto" : "operator");
    expect(inputSchema, name).toMatchObject({ type: "object", additionalProperties: false });
    const { properties } = inputSchema as { properties: Record<string, { description?: string }> };
    for (const [field, { description }] of Object.entries(properties))
      expect(description, `${name}: ${field}`).toMatch(/\S{2}/);
  }
  expect(listed.find(({ name }) => name === "nex.records.delete")).toMatchObject({ destructive: true });
});

test("each service has reads and writes, and no Nexus write is ever repeated", () => {
  const kindsOf = (service: string) =>
    new Set(
      catalogue
        .all()
        .filter((operation) => operation.service === service)
        .map(({ effect, idempotent }) => (effect === "read" ? "read" : idempotent)),
    );
  expect(kindsOf("messaging")).toEqual(new Set(["read", true, false]));
  expect(kindsOf("nex")).toEqual(new Set(["read", true, false]));
  expect(kindsOf("nexus")).toEqual(new Set(["read", false]));
});

test("every write that is never repeated says how to find out its outcome", () => {
  for (const { effect, idempotent, howToFindOut, name } of catalogue.all())
    if (effect === "write" && !idempotent) expect(howToFindOut, name).toMatch(/\S/);
});
