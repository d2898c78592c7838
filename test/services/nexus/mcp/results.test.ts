// A tool's result: data if it returned some, a typed failure if it says so, and no secret in its words.

import { describe, expect, test } from "vitest";
import { resultOf, toolOutput } from "../../../../src/services/nexus/mcp/results.ts";

const output = (result: unknown) => toolOutput({ status: 200, headers: {}, body: { result } }, "POST /mcp");
const text = (value: unknown, isError = false) => ({
  content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }],
  ...(isError && { isError }),
});

describe("the output is", () => {
  test("the structured content, or the JSON in the text", () => {
    expect(output({ ...text({ old: 1 }), structuredContent: { a: 1 } })).toEqual({ a: 1 });
    expect(output(text({ contacts: [] }))).toEqual({ contacts: [] });
    expect(output(text('{"id":9007199254740993}'))).toEqual({ id: 9007199254740993n });
  });

  test.each(["hello", "7", "null", '{"cut":', ""])("the unchanged content, for the text %j", (words) => {
    expect(output(text(words))).toEqual({ content: [{ type: "text", text: words }] });
  });

  test("everything, if there is more than one text", () => {
    const content = [
      { type: "text", text: '{"a":1}' },
      { type: "image", data: "…" },
    ];
    expect(output({ content })).toEqual({ content });
    for (const odd of [{}, { content: 7 }, { content: [null, 7] }]) expect(() => output(odd)).not.toThrow();
  });
});

const failure = (run: () => unknown): { code: string; message: string; name: string } => {
  try {
    run();
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error("it did not fail");
};

describe("a failure is", () => {
  test.each([
    ["tool_failed", text("Error: no such order", true)],
    ["tool_failed", text({ error: "not_found", message: "no such order" })],
    ["tool_failed", text({ success: false, message: "no such order" })],
    ["plan_limit_exceeded", text({ error: "plan_limit_exceeded", message: "no such order" })],
    ["plan_limit_exceeded", text({ error: "plan_limit_exceeded", message: "no such order" }, true)],
  ])("%s for %j", (code, result) => {
    const error = failure(() => output(result));
    expect(error).toMatchObject({ name: "OperationError", code });
    expect(error.message).toContain("no such order");
  });

  test("a refusal, if the server says that it did not start; in doubt for every other error", () => {
    const of = (code: unknown) =>
      failure(() =>
        resultOf({ status: 200, headers: {}, body: { error: { code, message: "why" } } }, "POST /mcp"),
      );
    for (const code of [-32_700, -32_600, -32_601, -32_602, -32_002])
      expect(of(code)).toMatchObject({ name: "OperationError", code: "refused" });
    expect(of(-32_603)).toMatchObject({
      name: "HttpError",
      code: "rpc_-32603",
      maybeSent: true,
      status: 200,
    });
    expect(of("odd")).toMatchObject({ name: "HttpError", code: "rpc_error" });
  });

  test("reported without text shaped like a secret, and in short", () => {
    const words = `Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln nxs_ak_${"a".repeat(48)} ${"long ".repeat(1000)}`;
    const { message } = failure(() => output(text(words, true)));
    expect(message).not.toMatch(/eyJ|nxs_ak/);
    expect(message.length).toBeLessThan(700);
  });
});
