// What a sender's failure means for a write.

import { expect, test } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { sendingFailed } from "../../src/writes/outcome.ts";

const refusal = (retryable: boolean) =>
  new HttpError({
    ...{
      kind: "status",
      service: "nexus",
      label: "PATCH /rest/v1/orders",
      status: 401,
      code: "x",
      message: "x",
    },
    ...{ retryable, maybeSent: true, retryAfterMs: 5000 },
  });

test("a temporary 401 changed nothing: the write waits and is retried, whatever the operation", () => {
  expect(sendingFailed(refusal(true))).toMatchObject({ kind: "refused_for_now", retryAfterMs: 5000 });
});

test("a permanent 401 ends the write as refused", () => {
  expect(sendingFailed(refusal(false))).toMatchObject({ kind: "refused" });
});
