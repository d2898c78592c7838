import { expect, test } from "vitest";
import { parseSize, sizeText } from "../../src/core/size.ts";
import { linesOf as allLinesOf, REFERENCES } from "./toml-file.ts";

const linesOf = (toml: string): string[] => allLinesOf(toml).map((line) => line.replace(/^f(:\d+)?: /, ""));

test("a size is a number with its unit, and nothing else", () => {
  expect(["512B", "256KiB", "32MiB", "1.5MiB", "1GiB"].map(parseSize)).toEqual([
    512, 262_144, 33_554_432, 1_572_864, 1_073_741_824,
  ]);
  for (const text of ["", "32", "32MB", "-1KiB", "1e3B", "0x10B", "1 MiB x", "99999999999B"])
    expect(parseSize(text), text).toBeUndefined();
  expect([262_144, 33_554_432, 1000].map(sizeText)).toEqual(["256 KiB", "32 MiB", "1000 B"]);
});

test("an invalid limit, or one that would switch itself off, is a problem that names a valid value", () => {
  expect(
    linesOf(`${REFERENCES}[limits]\nconnections = 0\nrequest_bytes = 33554432\nanswer_bytes = "1TiB"`),
  ).toEqual([
    "limits.connections = 0: must be a whole number from 1 to 10000",
    'limits.request_bytes = 33554432: must be a size in quotes, such as "256KiB" or "32MiB"',
    'limits.answer_bytes = "1TiB": must be a size from "1MiB" to "1GiB"',
  ]);
  expect(linesOf(`${REFERENCES}[limits]\nsilent_connection = "0s"\nnumber_digits = 5\nstream = 3`)).toEqual([
    'limits.silent_connection = "0s": must be a duration from "1s" to "1h"',
    "limits.number_digits = 5: must be a whole number from 17 to 1000",
    'limits.stream: is not a known key: did you mean "streams"?',
  ]);
});
