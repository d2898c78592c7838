// The registry of problems against everything generated from it.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorsPage } from "../../docs/errors-page.ts";
import { PROBLEMS } from "../../src/contract/problem-codes.ts";

test("the page of errors is current (npm run docs)", () => {
  expect(readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8")).toBe(errorsPage());
});

test.each(Object.entries(PROBLEMS))(
  "%s says in one sentence what it is and in another what to do",
  (_code, problem) => {
    expect(problem.title).toMatch(/^[A-Za-z].*[^.]$/);
    expect(problem.remedy).toMatch(/^.+\.$/);
  },
);
