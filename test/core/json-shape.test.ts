import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { serve } from "../support/http-server.ts";

const answerOf = async (body: string, isByBytes = false) => {
  const server = await serve(async (response) => {
    if (!isByBytes) return void response.end(body);
    for (const byte of Buffer.from(body))
      if (!response.write(Buffer.from([byte]))) await new Promise((go) => response.once("drain", go));
    response.end();
  });
  const http = createHttpClient({
    ...{
      service: "nexus",
      origin: server.origin,
      clock: systemClock,
      timeoutMs: 30_000,
      maxBytes: 2_000_000,
    },
    userAgent: "nexusd/test",
  });
  return (await http.request({ method: "GET", path: "/", label: "GET /" })).json();
};

test.each([
  ["nested too deeply", `${"[".repeat(101)}${"]".repeat(101)}`, "nested more than 100 deep"],
  ["of too many values", `[${"{},".repeat(200_000)}1]`, "more than 250000 values"],
  ["with a number that is too long", `{"n":[-${"7".repeat(101)}]}`, "a number of more than 100 digits"],
])("an answer %s is refused before it is parsed, with the reason", async (_, body, why) => {
  await expect(answerOf(body)).rejects.toMatchObject({
    kind: "too_large",
    code: "json_too_large",
    retryable: false,
  });
  await expect(answerOf(body)).rejects.toThrow(why);
});

test("brackets inside strings do not count, however they are escaped", async () => {
  const texts = [
    "[".repeat(1000),
    `"${"{".repeat(1000)}`,
    `\\${"[".repeat(1000)}\\`,
    ",".repeat(300_000),
    "7".repeat(1000),
  ];
  expect(await answerOf(JSON.stringify(texts))).toEqual(texts);
});

test("a body that arrives byte by byte is treated like one that arrives at once", async () => {
  const value = { text: "größe".repeat(2000) };
  expect(await answerOf(JSON.stringify(value), true)).toEqual(value);
});
