// Generic code names no service: the check finds code that does, and exceptions that are no longer needed.

import { expect, test } from "vitest";
import { faultsOf } from "../../tools/service-names.ts";

const faults = (file: string, text: string, exceptions = {}) =>
  faultsOf(new Map([[file, text]]), ["messaging", "nex", "nexus"], exceptions).map(({ file }) => file);

test.each([
  'import { start } from "../services/nex/stream.ts";',
  "const { nexus } = services;",
  'if (type === "nex.insight.received") return;',
  'app.get("/v1/messaging/sessions");',
  "function startNexWork() {}",
  "const isNexus = true;",
  "throw new Error(`Nexus did not answer`);",
  "const KEY = env.NEXUS_KEY;",
])("%s is reported", (line) => {
  expect(faults("src/control/some.ts", `first\n${line}\n`)).toEqual(["src/control/some.ts:2"]);
});

test.each([
  ["src/control/some.ts", 'const version = "nexusd"; // of Nex'],
  ["src/control/some.ts", "/** The sessions of messaging. */"],
  ["src/control/some.ts", "const error = 'must be a type such as \"nexus.stock.low\"';"],
  ["src/control/some.ts", "const annex = NEXUSD_TOKEN; messagingly();"],
  ["src/services/nex/stream.ts", 'const name = "nexus";'],
  ["src/cli/services/messaging/poll.ts", 'const name = "messaging";'],
  ["jobs/nexus-orders.ts", 'const name = "nexus-orders";'],
])("%s may say %s", (file, line) => {
  expect(faults(file, line)).toEqual([]);
});

test("nexusd's own jobs, and a folder that only starts like a service, are not exempt", () => {
  expect(faults("jobs/retention.ts", "services.nex.now()")).toHaveLength(1);
  expect(faults("src/services/nexes/x.ts", "services.nex.now()")).toHaveLength(1);
});

test("an exception that no longer names a service is reported too", () => {
  const exceptions = { "src/client/client.ts": "the views" };
  expect(faults("src/client/client.ts", "ask('/v1/nex/insights')", exceptions)).toEqual([]);
  expect(faults("src/client/client.ts", "ask('/v1/status')", exceptions)).toEqual(["src/client/client.ts"]);
});
