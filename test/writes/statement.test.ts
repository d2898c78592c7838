// The text of a decision: the same write gives the same bytes, and two different writes never do.

import { describe, expect, test } from "vitest";
import type { Decision } from "../../src/contract/signing.ts";
import { canonicalJson, digestOf } from "../../src/core/canonical-json.ts";
import {
  readStatement,
  renderStatement,
  STATEMENT_VERSION,
  type StatementOf,
} from "../../src/writes/statement.ts";
import fc from "../support/fc.ts";

const EPOCH = "01K000000000000000000EPOCH";
const write = (changes: Partial<StatementOf["preview"]> = {}): StatementOf => ({
  id: "01M7XZT09MNS1PP9GFZDJDF428",
  operation: "nexus.orders.update_status",
  digest: digestOf("the stored bytes"),
  expiresAt: "2026-03-02T12:00:00.000Z",
  preview: {
    method: "PATCH",
    url: "https://nexus.example/rest/v1/orders?id=eq.0c000000-0000-4000-8000-000000000001",
    body: '{"order_status":"shipped"}',
    ...changes,
  },
});

const HEAD = `nexusd decision v1
decision: approve
write: 01M7XZT09MNS1PP9GFZDJDF428
epoch: 01K000000000000000000EPOCH
operation: nexus.orders.update_status
digest: sha256:${digestOf("the stored bytes")}
valid-until: 2026-03-02T12:00:00.000Z
request: PATCH https://nexus.example/rest/v1/orders?id=eq.0c000000-0000-4000-8000-000000000001
`;

// Changing one of these requires a new STATEMENT_VERSION: signed statements are then refused by name.
describe("version 1 of a statement, to the byte, is", () => {
  test("the head, and the body as in the preview, indented by two blanks", () => {
    expect(renderStatement(write(), EPOCH, "approve")).toBe(
      `${HEAD}body: 26 bytes\n\n  {\n    "order_status": "shipped"\n  }\n`,
    );
  });

  test("only the head without a body", () => {
    expect(renderStatement(write({ body: null }), EPOCH, "approve")).toBe(`${HEAD}body: none\n`);
  });

  test("with hidden characters written out, and long lines broken with a mark at both ends", () => {
    const body = JSON.stringify({ text: `pay\u202e 1 €, 🫨 ${"x".repeat(100)}`, n: 1 });
    expect(renderStatement(write({ body }), EPOCH, "approve")).toBe(
      `${HEAD}body: ${Buffer.byteLength(body)} bytes\n\n  {\n    "text": "pay\\u{202e} 1 €, \\u{1fae8} ${"x".repeat(54)}↩\n  ┊ ${"x".repeat(46)}",\n    "n": 1\n  }\n`,
    );
  });

  test("the same for every character, on every runtime", () => {
    let all = "";
    for (let code = 0; code < 0x110000; code++) all += `${String.fromCodePoint(code)}a`;
    const body = JSON.stringify([all]);
    expect(digestOf(renderStatement(write({ body }), EPOCH, "approve"))).toBe(
      "de83b46cd76788154141f93bff74cff0341edd1439b5eaed348fbf6b88fb9335",
    );
  }, 60_000);
});

const json = fc.json({ stringUnit: "binary" }).map((text) => JSON.stringify(JSON.parse(text)));
const preview = fc.record({
  method: fc.constantFrom("PATCH", "POST", "DELETE"),
  url: fc.webUrl({ withQueryParameters: true }),
  body: fc.option(fc.oneof(json, fc.string({ unit: "binary" }))),
});

describe("for any write", () => {
  test("no content starts a line, and the head can be parsed", () => {
    fc.assert(
      fc.property(preview, fc.constantFrom<Decision>("approve", "reject"), (shown, decision) => {
        const one = write(shown);
        const lines = renderStatement(one, EPOCH, decision).split("\n");
        expect(lines.slice(0, 9).map((line) => line.split(":", 1)[0])).toEqual(
          [
            `nexusd decision v${STATEMENT_VERSION}`,
            "decision",
            "write",
            "epoch",
            "operation",
            "digest",
          ].concat(["valid-until", "request", "body"]),
        );
        expect(lines.at(-1)).toBe("");
        const rest = lines.slice(9, -1);
        if (shown.body === null) expect(rest).toEqual([]);
        else expect(rest.every((line, at) => (at === 0 ? line === "" : line.startsWith("  ")))).toBe(true);
        expect(readStatement(lines.join("\n"))).toEqual({
          ...{ version: STATEMENT_VERSION, decision, write: one.id, epoch: EPOCH },
          ...{ digest: one.digest, validUntil: one.expiresAt },
        });
      }),
    );
  });

  test("two different requests have different statements", () => {
    fc.assert(
      fc.property(preview, preview, (a, b) => {
        fc.pre(canonicalJson(a) !== canonicalJson(b));
        const [one, other] = [a, b].map((shown) => renderStatement(write(shown), EPOCH, "approve"));
        expect(one).not.toBe(other);
      }),
    );
  });

  test("the body is complete: without marks, breaks and blanks it is what is sent", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (fields) => {
        const body = JSON.stringify(fields);
        const [, shown = ""] = renderStatement(write({ body }), EPOCH, "approve").split("bytes\n\n");
        const joined = shown
          .slice(0, -1)
          .replaceAll(/↩\n {2}┊ /g, "")
          .split("\n")
          .map((line) => line.trimStart())
          .join("");
        const compact = joined.replaceAll(
          /("(?:[^"\\]|\\.)*")(: )?/g,
          (_, text, colon) => text + (colon ? ":" : ""),
        );
        expect(compact).toBe(body);
      }),
    );
  });
});

test.each([
  ["", undefined],
  ["nexusd decision v1", undefined],
  ["nexusd decision v1\ndecision: approve\n", undefined],
  ["nexusd decision v2\nanything", { version: 2 }],
  ["nexusd decision v0", { version: 0 }],
  [` ${HEAD}`, undefined],
  [HEAD.replace("approve", "pay"), undefined],
])("the head of %j is read as %j", (text, head) => {
  expect(readStatement(text)).toEqual(head);
});
