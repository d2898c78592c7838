// nexusd's requests to Nex, and the answers of its stand-in, match Nex's own descriptions.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NexServer, startNex } from "../../../sandbox/nex.ts";
import { parseJson, stringifyJson } from "../../../src/core/exact-json.ts";
import { PREFIX } from "../../../src/services/nex/client.ts";
import { nexOperations } from "../../../src/services/nex/operations.ts";
import type { OperationRequest } from "../../../src/services/operation.ts";
import { samples } from "../../services/operations/samples.ts";
import { type Bench, createBench } from "../../services/operations/support.ts";
import { type Description, readDescription } from "./description.ts";
import { createWorld } from "./world.ts";

const current = readDescription("./openapi.json");
const february = readDescription("./openapi-2026-02.json");

/** The one call that is held open instead of answered: the job nex-insights makes it. */
const STREAM = "GET /v1/insights/stream";

/** Where the stand-in deliberately differs from a description, because Nex's clients have been seen to get that. */
const OTHER_ANSWERS = new Map<Description, Set<string>>([
  // The description has had other fields in `data` since 2026-02-17; the clients parse the earlier ones.
  [current, new Set(["GET /v1/insights"])],
  [february, new Set()],
]);

let server: NexServer;
let bench: Bench;

beforeEach(async () => {
  server = await startNex({ apiKey: "key" });
  bench = createBench({ nex: server.url, nexApiKey: "key" });
});
afterEach(() => server.close());

/** The request in a description's terms. */
function described(description: Description, { method, path }: OperationRequest) {
  const url = new URL(path, "http://nex.invalid");
  const found = description.find(method, url.pathname.slice(PREFIX.length - "/v1".length));
  return found && { ...found, query: url.searchParams };
}

const send = async (request: OperationRequest, key = "key") => {
  const response = await fetch(request.origin + request.path, {
    method: request.method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(request.json ? { "content-type": "application/json" } : {}),
    },
    ...(request.json === undefined ? {} : { body: stringifyJson(request.json) }),
  });
  const text = await response.text();
  const contentType = response.headers.get("content-type") ?? "";
  const body: unknown = text === "" ? undefined : contentType.includes("json") ? parseJson(text) : text;
  return { status: response.status, contentType, body };
};

test("each described call is one operation, and each operation is one described call", () => {
  const ours = nexOperations.map(({ name }) => {
    const sample = bench.request(name, samples[name]);
    return described(current, sample)?.call;
  });
  expect([...ours, STREAM].toSorted()).toEqual([...current.operations.keys()].toSorted());
  expect(current.operations.size).toBe(61);
  for (const call of february.operations.keys()) expect([...ours, STREAM]).toContain(call);
});

describe.each(nexOperations.map(({ name }) => name))("%s", (name) => {
  test("asks as described, and is answered as described", async () => {
    const world = await createWorld(server, bench);
    const request = bench.request(name, world.input(name));
    const answer = await send(request);
    for (const description of [current, february]) {
      const found = described(description, request);
      if (found === undefined && description === february) continue;
      const { call, values, query } = found ?? { call: "", values: {}, query: new URLSearchParams() };
      expect(description.requestProblems(call, { values, query, body: request.json })).toEqual([]);
      if (OTHER_ANSWERS.get(description)?.has(call)) continue;
      expect(description.answerProblems(call, answer)).toEqual([]);
    }
    expect(answer.status).toBe(name === "nex.compounding.trigger" ? 202 : 200);
  });

  test("is refused as described, without the key and without its scope", async () => {
    const request = bench.request(name, samples[name]);
    const { call = "" } = described(current, request) ?? {};
    const noKey = await send(request, "other");
    expect([noKey.status, current.answerProblems(call, noKey)]).toEqual([401, []]);
    server.setScopes([]);
    // Not in the description, but in all other documentation of it.
    expect(await send(request)).toMatchObject({
      ...{ status: 403, body: { code: 403, message: expect.any(String) } },
    });
  });
});

const AFTER_A_PATH = nexOperations
  .map(({ name }) => name)
  .filter((name) => {
    const { call = "" } = described(current, createBench({}).request(name, samples[name])) ?? {};
    return current.operations.get(call)?.responses["404"] !== undefined;
  });

test.each(AFTER_A_PATH)("%s: an unknown target is 404", async (name) => {
  const request = bench.request(name, {
    ...samples[name],
    ...(samples[name]?.objectSlug ? { objectSlug: "none" } : {}),
  });
  const { call = "" } = described(current, request) ?? {};
  const answer = await send(request);
  expect([answer.status, current.answerProblems(call, answer)]).toEqual([404, []]);
});

const WITH_A_BODY = nexOperations
  .map(({ name }) => name)
  .filter((name) => {
    const { call = "" } = described(current, createBench({}).request(name, samples[name])) ?? {};
    return current.operations.get(call)?.requestBody !== undefined;
  });

test.each(WITH_A_BODY)("%s: a body that is not an object is 400", async (name) => {
  const world = await createWorld(server, bench);
  const request = bench.request(name, world.input(name));
  const { call = "" } = described(current, request) ?? {};
  const answer = await send({ ...request, json: [] });
  expect([answer.status, current.answerProblems(call, answer)]).toEqual([400, []]);
});

test("a non-integer id in a path is 400 if the description has integers", async () => {
  for (const name of ["nex.records.get", "nex.lists.get", "nex.integrations.disconnect"]) {
    const [field = ""] = Object.keys(samples[name] ?? {});
    const answer = await send(bench.request(name, { [field]: "x" }));
    expect(answer).toMatchObject({ status: 400, body: { code: 400 } });
  }
});

describe("connecting an integration", () => {
  const connect = () => send(bench.request("nex.integrations.connect", samples["nex.integrations.connect"]));
  const CALL = "POST /v1/integrations/{type}/{provider}/connect";

  test("the eleventh in a minute is 429, with the time to wait", async () => {
    for (let n = 0; n < 10; n++) expect((await connect()).status).toBe(200);
    const answer = await connect();
    expect([answer.status, current.answerProblems(CALL, answer)]).toEqual([429, []]);
    await expect(
      bench.run("nex.integrations.connect", samples["nex.integrations.connect"]),
    ).rejects.toMatchObject({ status: 429, retryAfterMs: expect.any(Number) });
  });

  test("after ten minutes its status is 410", async () => {
    const { connect_id } = (await connect()).body as { connect_id: string };
    const clocked = (body: object) =>
      fetch(`${server.url}/_control`, { method: "POST", body: JSON.stringify(body) });
    const status = () =>
      send(bench.request("nex.integrations.get_connect_status", { connectId: connect_id }));
    expect(await status()).toMatchObject({ status: 200, body: { status: "pending" } });
    await clocked({ advanceMs: 10 * 60_000 + 1 });
    const answer = await status();
    const call = "GET /v1/integrations/connect/{connect_id}/status";
    expect([answer.status, current.answerProblems(call, answer)]).toEqual([410, []]);
  });
});

test("the stand-in sends insights in the shape of either description", async () => {
  server.emit([{ content: "one" }]);
  const request = bench.request("nex.insights.list", {});
  expect(february.answerProblems("GET /v1/insights", await send(request))).toEqual([]);
  server.setShape("data");
  expect(current.answerProblems("GET /v1/insights", await send(request))).toEqual([]);
});
