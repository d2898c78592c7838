import { expect, test } from "vitest";
import { expandTypes } from "../../src/contract/event-patterns.ts";

const known = [
  "nexusd.messaging.message.received",
  "nexusd.messaging.session.joined",
  "nexusd.nex.insight.received",
  "nexusd.nexus.stock.low",
];

test.each([
  [["*"], known],
  [["nexusd.*"], known],
  [["messaging.*"], known.slice(0, 2)],
  [["nexusd.messaging.*"], known.slice(0, 2)],
  [["messaging.session.*"], known.slice(1, 2)],
  [["nex.insight.received"], known.slice(2, 3)],
  [["nexusd.nex.insight.received"], known.slice(2, 3)],
  [
    ["nexus.stock.low", "messaging.*", "messaging.message.received"],
    [...known.slice(0, 2), known[3]],
  ],
])("%j matches its types, with and without the prefix", (patterns, types) => {
  expect(expandTypes(patterns, known)).toEqual(types);
});

test.each([[[]], [["nex"]], [["messaging"]], [["nex.insight"]], [["ne*"]], [["messaging.*.joined"]]])(
  "%j matches nothing: only the last part may be a wildcard",
  (patterns) => {
    expect(expandTypes(patterns, known)).toEqual([]);
  },
);
