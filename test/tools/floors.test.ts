import { expect, test } from "vitest";
import { faultsOf } from "../../tools/floors.ts";

const faults = (sources: Record<string, string>) =>
  faultsOf(new Map(Object.entries(sources)), ["core", "http", "daemon"]);

test("an import from a floor below, or from the same folder, is allowed", () => {
  expect(
    faults({
      "http/client.ts": 'import { a } from "../core/clock.ts";\nimport type { B } from "./errors.ts";',
      "daemon/main.ts": 'import "../http/client.ts";\nconst { a } = await import("../core/clock.ts");',
    }),
  ).toEqual([]);
});

test.each([
  ["a value", 'import { a } from "../daemon/log.ts";'],
  ["a type", 'import type { A } from "../daemon/log.ts";'],
  ["on several lines", 'import {\n  a,\n  b,\n} from "../daemon/log.ts";'],
  ["for its effect", 'import "../daemon/log.ts";'],
  ["that is passed on", 'export { a } from "../daemon/log.ts";'],
  ["when it is needed", 'const { a } = await import("../daemon/log.ts");'],
  ["as a type alone", 'type A = import("../daemon/log.ts").A;'],
])("an import from a floor above is a fault: %s", (_what, text) => {
  expect(faults({ "core/clock.ts": text })).toEqual([
    { file: "core/clock.ts", message: "imports daemon/log.ts, which is on a floor above its own" },
  ]);
});

test("a folder without a floor is a fault", () => {
  expect(faults({ "helpers/all.ts": "" })).toMatchObject([{ file: "helpers/all.ts" }]);
});
