import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { describe, expect, it, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { createPolicy } from "../../src/writes/policy.ts";
import { policyOf } from "./harness.ts";

const operation = (name: string, destructive = false) => ({ name, destructive });

describe("the most specific pattern applies", () => {
  const policy = policyOf({
    "*": "deny",
    "nexus.*": "operator",
    "nexus.orders.*": "auto",
    "nexus.orders.create": "deny",
    "messaging.messages.send": "auto",
  });
  test.each([
    ["nexus.orders.create", "deny"],
    ["nexus.orders.update_status", "auto"],
    ["nexus.orders.update.deep", "auto"],
    ["nexus.ordersets.create", "operator"],
    ["nexus.customers.update", "operator"],
    ["nexuses.orders.create", "deny"],
    ["messaging.messages.send", "auto"],
    ["messaging.messages.send_all", "deny"],
    ["nexus.*", "operator"],
  ])("%s: %s", (name, approval) => expect(policy.approvalOf(operation(name))).toBe(approval));

  it("in any order of the patterns", () => {
    const entries = Object.entries({ "*": "deny", "nexus.*": "auto", "nexus.a.*": "operator" } as const);
    for (const written of [entries, entries.toReversed()])
      expect(policyOf(Object.fromEntries(written)).approvalOf(operation("nexus.a.b"))).toBe("operator");
  });
});

it("an operation without a pattern needs an operator", () => {
  expect(policyOf({}).approvalOf(operation("nexus.orders.create"))).toBe("operator");
  expect(policyOf({ "messaging.*": "auto" }).approvalOf(operation("nex.records.create"))).toBe("operator");
});

it("a permanent deletion is approved automatically only by its full name", () => {
  const name = "nexus.items.delete";
  for (const pattern of ["*", "nexus.*", "nexus.items.*"])
    expect(policyOf({ [pattern]: "auto" }).approvalOf(operation(name, true))).toBe("operator");
  expect(policyOf({ [name]: "auto" }).approvalOf(operation(name, true))).toBe("auto");
  expect(policyOf({ "nexus.*": "deny" }).approvalOf(operation(name, true))).toBe("deny");
});

test.each([
  [{ "*": "auto" }, true],
  [{ "messaging.*": "auto", "nex.*": "auto", "nexus.*": "auto" }, true],
  [{ "*": "auto", "nexus.orders.create": "auto" }, true],
  [{ "*": "auto", "nexus.orders.create": "operator" }, false],
  [{ "*": "auto", "nexus.orders.*": "deny" }, false],
  [{ "messaging.*": "auto", "nex.*": "auto" }, false],
  [{ "messaging.*": "auto", "nex.*": "auto", "nexus.orders.*": "auto" }, false],
  [{}, false],
] as const)("%j leaves nothing to an operator: %s", (policy, isEverythingAuto) => {
  expect(policyOf(policy).isEverythingAuto()).toBe(isEverythingAuto);
});

it("approves messages by default, and asks an operator about everything else", () => {
  const policy = createPolicy(configSchema.parse(parse(readFileSync("config/nexusd.toml", "utf8"))));
  expect(policy.approvalOf(operation("messaging.messages.send"))).toBe("auto");
  expect(policy.approvalOf(operation("nex.records.create"))).toBe("operator");
  expect(policy.approvalOf(operation("nexus.orders.create"))).toBe("operator");
  expect(policy.isEverythingAuto()).toBe(false);
});
