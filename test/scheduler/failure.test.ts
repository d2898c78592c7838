// The description of a failure: never empty, never long, and with nothing from outside.

import { expect, it } from "vitest";
import { StoreError } from "../../src/contract/store.ts";
import { describeFailure } from "../../src/scheduler/failure.ts";
import fc from "../support/fc.ts";

it("describes any thrown value within its limits", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc
          .record({ code: fc.string(), message: fc.string({ unit: "binary", maxLength: 700 }) })
          .map((fields) => Object.assign(new Error(fields.message), { code: fields.code })),
      ),
      (thrown) => {
        const { code, message } = describeFailure(thrown);
        return (
          /^[\w.-]{1,64}$/.test(code) &&
          message.length > 0 &&
          message.length <= 500 &&
          !/[\p{Cc}\n]/u.test(message)
        );
      },
    ),
  );
});

it("takes the code of an error, else its name", () => {
  expect(describeFailure(new StoreError("full", "the disk is full"))).toEqual({
    code: "full",
    message: "the disk is full",
  });
  expect(describeFailure(new RangeError("too far"))).toEqual({
    code: "RangeError",
    message: "RangeError: too far",
  });
});

it("does not repeat text that JSON.parse could not read", () => {
  const parse = () => JSON.parse("<html>secret");
  expect(parse).toThrow(/secret/);
  try {
    parse();
  } catch (error) {
    expect(describeFailure(error)).toEqual({ code: "SyntaxError", message: "SyntaxError" });
  }
});

it("survives an error that throws when it is read", () => {
  const hostile = Object.defineProperty(new Error(), "message", {
    get() {
      throw new Error("gotcha");
    },
  });
  expect(describeFailure(hostile)).toMatchObject({ code: "unreadable_error" });
});
