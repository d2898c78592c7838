// docs/operations.md agrees with the catalogue.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { operationsPage } from "../../docs/generate.ts";
import { catalogue } from "../../src/services/catalogue.ts";

test("the page of operations is current (npm run docs)", () => {
  expect(readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")).toBe(
    operationsPage(catalogue),
  );
});
