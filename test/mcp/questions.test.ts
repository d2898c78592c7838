import { expect, test } from "vitest";
import { catalogue } from "../../src/services/catalogue.ts";
import { HELD_BACK, QUESTIONS } from "./questions.ts";

test("every question means an existing operation, and no two are the same", () => {
  const names = catalogue.all().map(({ name }) => name);
  for (const { meant } of [...QUESTIONS, ...HELD_BACK]) expect(names).toContain(meant);
  expect(new Set([...QUESTIONS, ...HELD_BACK].map(({ meant }) => meant)).size).toBe(40);
});
