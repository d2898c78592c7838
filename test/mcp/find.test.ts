import { expect, test } from "vitest";
import { find } from "../../src/mcp/find.ts";
import { catalogue, summaries } from "../../src/services/catalogue.ts";
import { HELD_BACK, QUESTIONS, type Question } from "./questions.ts";

const operations = summaries(() => "operator", catalogue);

/** The position of the intended operation among the results; -1: not found. */
const places = (questions: readonly Question[]) =>
  questions.map(({ asked, meant }) => find(asked, operations).findIndex(({ name }) => name === meant));
const within = (found: number[], most: number) => found.filter((at) => at >= 0 && at < most).length;

test("a question in plain words finds the intended operation first, in at least 18 of 20", () => {
  expect(within(places(QUESTIONS), 1)).toBeGreaterThanOrEqual(18);
});

test("unforeseen questions find it first mostly, and among the eight results nearly always", () => {
  const found = places(HELD_BACK);
  expect(within(found, 1)).toBeGreaterThanOrEqual(12);
  expect(within(found, 8)).toBeGreaterThanOrEqual(18);
});

test("every operation is found by its own name and by its title", () => {
  for (const { name, title } of operations) {
    expect(find(name, operations)[0]?.name, name).toBe(name);
    expect(find(title, operations)[0]?.title, title).toBe(title);
  }
});

test("an unrelated question finds nothing", () => {
  expect(find("xylophone zeppelin", operations)).toEqual([]);
  expect(find("", operations)).toEqual([]);
});
