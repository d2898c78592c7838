// What a failure of the sender means for a write.

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

test("a 401 that may pass changed nothing: the write waits and is tried again, whatever the operation is", () => {
  expect(sendingFailed(refusal(true))).toMatchObject({ kind: "refused_for_now", retryAfterMs: 5000 });
});

test("a 401 that will stay ends the write as refused", () => {
  expect(sendingFailed(refusal(false))).toMatchObject({ kind: "refused" });
});
