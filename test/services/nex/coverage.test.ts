import { expect, it } from "vitest";
import { HttpError } from "../../../src/http/errors.ts";
import { readWindow } from "../../../src/services/nex/coverage.ts";
import fc from "../../support/fc.ts";

const START = Date.UTC(2026, 10, 20);

/** A service that keeps the newest `limit` of a window, bounds included. */
const service = (times: number[], limit: number) => async (from: number, to: number) => ({
  workspace: null,
  insights: times
    .filter((time) => time >= from && time <= to)
    .sort((a, b) => b - a)
    .slice(0, limit)
    .map((time) => ({ created_at: new Date(time).toISOString() })),
});

it("a service whose answers are always too large is not asked for every single second", async () => {
  let asked = 0;
  const list = async () => {
    asked++;
    throw new HttpError({
      ...{ kind: "too_large", code: "body_too_large", service: "nex", label: "a list", message: "too much" },
      ...{ retryable: false, maybeSent: true },
    });
  };
  let covered = START;
  for await (const { from, to, isCut, tooLarge } of readWindow(list, START, START + 86_400_000, 100)) {
    expect({ from, isCut, tooLarge }).toEqual({ from: covered, isCut: true, tooLarge: "too much" });
    covered = to;
  }
  expect(covered).toBe(START + 86_400_000);
  expect(asked).toBeLessThan(150);
});

it("a window of any density is read completely and in order, or reports where it was cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(600_000), { maxLength: 120 }),
      fc.integer({ min: 1, max: 20 }),
      async (offsets, limit) => {
        const times = offsets.map((offset) => START + offset);
        const found = new Set<number>();
        const cut: [number, number][] = [];
        let covered = START;
        for await (const slice of readWindow(service(times, limit), START, START + 600_000, limit)) {
          expect(slice.from).toBe(covered);
          covered = slice.to;
          for (const insight of slice.batch.insights) found.add(Date.parse(String(insight.created_at)));
          if (slice.isCut) cut.push([slice.from, slice.to]);
        }
        expect(covered).toBe(START + 600_000);
        for (const time of times)
          expect(found.has(time) || cut.some(([from, to]) => time >= from && time <= to)).toBe(true);
      },
    ),
  );
});
