// GET /v1/writes/{id}/review, on the real write path.

import { expect, test } from "vitest";
import { startTestControl } from "../support/control.ts";

const ACTOR = { via: "agent.sock", user: null } as const;

test("a review has the write, its preview and everything else for a decision, and counts as shown to operators", async () => {
  const control = await startTestControl();
  const { write } = await control.writes.propose(
    { operation: "nexus.orders.update_status", input: { orderId: "o-1", big: 2n ** 60n } },
    ACTOR,
  );
  const answer = await control.get(`/v1/writes/${write.id}/review`, { role: "agent" });
  expect(answer.status).toBe(200);
  expect(answer.json).toMatchObject({
    write: { id: write.id, digest: write.digest, state: "proposed", signing: null },
    preview: expect.stringContaining(write.digest),
    about: { text: expect.any(String) },
    previous: null,
    history: [],
  });
  expect(answer.text).toContain('"big":1152921504606846976');
  expect(control.writes.calls.filter(([what]) => what === "show")).toEqual([]);
  await control.get(`/v1/writes/${write.id}/review`);
  expect(control.writes.calls.at(-1)).toMatchObject(["show", write.id, { via: "operator.sock" }]);
});

test("an unknown write has no review", async () => {
  const control = await startTestControl();
  const answer = await control.get("/v1/writes/01J00000000000000000000000/review");
  expect([answer.status, answer.json.code]).toEqual([404, "write_not_found"]);
});
