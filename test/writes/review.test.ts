import { expect, test } from "vitest";
import { z } from "zod";
import { defineOperationsOf, NO_CREDENTIAL, type Operation } from "../../src/services/operation.ts";
import { createHarness, OPERATOR } from "./harness.ts";

const review = async (harness: Awaited<ReturnType<typeof createHarness>>, id: string) =>
  harness.writes.review(await harness.writes.get(id));

test("the first write of an operation is compared with nothing", async () => {
  const harness = await createHarness();
  const { id } = await harness.propose();
  expect(await review(harness, id)).toMatchObject({
    about: { text: expect.stringContaining("TEA-1"), changes: [] },
    previous: null,
    history: [],
  });
});

test("a write is compared with the last approved one of its operation", async () => {
  const harness = await createHarness();
  await harness.approved({ input: { sku: "TEA-0" } });
  const second = await harness.propose({ input: { sku: "TEA-1", note: "old" } });
  const third = await harness.approved({ input: { sku: "TEA-2" } });
  await harness.clock.advance(1000);
  const last = await harness.writes.approve(second.id, second.digest, OPERATOR);
  const rejected = await harness.propose({ input: { sku: "TEA-3" } });
  await harness.writes.reject(rejected.id, "no", OPERATOR);
  const { id } = await harness.propose({ input: { sku: "TEA-1", note: "new" } });
  const { previous } = await review(harness, id);
  expect(previous).toMatchObject({ id: second.id, decidedAt: last.decidedAt });
  expect(
    previous?.lines.filter(({ kind }) => kind !== "same").map(({ kind, text }) => [kind, text.trim()]),
  ).toEqual([
    ["removed", '"note": "old",'],
    ["added", '"note": "new",'],
  ]);
  expect(previous?.lines[0]).toEqual({ kind: "same", text: expect.stringMatching(/^POST https:/) });
  // That one was proposed later, but approved earlier.
  expect(previous?.id).not.toBe(third.id);
});

test("differences are shown with their invisible characters", async () => {
  const harness = await createHarness();
  await harness.approved({ input: { sku: "TEA-1", note: "pay 10" } });
  const { id } = await harness.propose({ input: { sku: "TEA-1", note: "pay \u200b10" } });
  const added = (await review(harness, id)).previous?.lines.find(({ kind }) => kind === "added");
  expect(added?.text).toContain("pay \\u{200b}10");
});

test("two long requests with nothing in common are reported as entirely different, and quickly", async () => {
  const harness = await createHarness();
  const many = defineOperationsOf()({
    ...{ name: "nexus.items.import", service: "nexus", effect: "write", idempotent: false },
    ...{ title: "A title", description: "", input: z.strictObject({ lines: z.array(z.string()) }) },
    request: (input, { origin }) => ({
      ...{ method: "POST", origin, path: "/rest/v1/items", label: "items", json: input },
      credential: NO_CREDENTIAL,
    }),
    output: () => ({}),
  });
  harness.world.operations = [many as Operation];
  const proposal = (n: number) => ({
    operation: many.name,
    input: { lines: Array.from({ length: 1500 }, (_, at) => `${n}-${at}`) },
  });
  await harness.approved(proposal(1));
  const { id } = await harness.propose(proposal(2));
  const { previous } = await review(harness, id);
  const count = (wanted: string) => previous?.lines.filter(({ kind }) => kind === wanted).length;
  expect(count("removed")).toBe(count("added"));
  expect(count("added")).toBeGreaterThan(1500);
});

test("a target's history has its other writes, the newest first, at most ten", async () => {
  const harness = await createHarness();
  await harness.propose({ input: { sku: "COFFEE" } });
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) {
    const { id } = await harness.propose({
      ...{ operation: "nexus.items.tag", input: { sku: "TEA-1", note: `${n}` } },
      ...(n === 11 && { reason: "it is empty" }),
    });
    ids.push(id);
  }
  await harness.writes.reject(ids[11] ?? "", "no", OPERATOR);
  const { id } = await harness.propose({ input: { sku: "TEA-1" } });
  const { history } = await review(harness, id);
  expect(history.map((one) => one.id)).toEqual(ids.toReversed().slice(0, 10));
  expect(history[0]).toMatchObject({
    operation: "nexus.items.tag",
    state: "rejected",
    reason: "it is empty",
  });
  expect(history[1]).toMatchObject({ state: "proposed", reason: null });
});

test("stored data about the target is shown beside the request, and changes nothing in it", async () => {
  const harness = await createHarness();
  harness.world.localView = {
    label: "Green tea",
    fields: { note: "other" },
    asOf: "2026-01-01T00:00:00.000Z",
  };
  const { id } = await harness.propose({ input: { sku: "TEA-1", note: "new" } });
  const { about } = await review(harness, id);
  expect(about.changes).toEqual([{ field: "note", from: null, to: "new", now: "other" }]);
  expect(about.text).toContain("Green tea");
});
