// A gateway that answers anything but the right thing: every answer is our own error, nothing counts as done without
// confirmation, and no credential goes anywhere else.

import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { SANDBOX_ENV } from "../../../sandbox/args.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { OperationError } from "../../../src/services/operation.ts";
import { answerFailed, sendingFailed } from "../../../src/writes/outcome.ts";
import {
  type Behaviour,
  cutAfter,
  drip,
  endless,
  html,
  json,
  redirect,
  serve,
  stallBody,
  stallHeaders,
} from "../../support/http-server.ts";
import { createBench, operationNamed } from "./support.ts";

const TOKEN = `eyJ${"a".repeat(20)}.${"b".repeat(40)}.${"c".repeat(20)}`;
const { NEXUS_API_KEY, NEXUS_ANON_KEY } = SANDBOX_ENV;
const SECRETS = [TOKEN, NEXUS_API_KEY, NEXUS_ANON_KEY];
const ID = "0a000000-0000-4000-8000-000000000505";

const READS = {
  "nexus.orders.list": {},
  "nexus.orders.get": { orderId: ID },
  "nexus.stock.get": { sku: "X" },
  "nexus.rest.select": { table: "items" },
  "nexus.invites.list": {},
  "nexus.mcp.read_resource": { uri: "nexus://organization/info" },
};
const WRITES = {
  "nexus.orders.create": { customerId: ID, totalAmount: 1, currency: "EGP" },
  "nexus.customers.update_tags": { customerId: ID, tags: ["vip"] },
  "nexus.calls.initiate": { phoneNumber: "+201005550101" },
};

/** Echoes everything that it was sent, wherever a careless client would print it. */
const echo =
  (status: number): Behaviour =>
  (response, { headers, body }) => {
    const sent = `${headers.authorization} ${headers.apikey} ${body} ${SECRETS.join(" ")}`;
    const said = { error: sent, message: sent, code: TOKEN, details: sent, hint: NEXUS_API_KEY };
    json(said, status, { "sb-error-code": TOKEN, "x-sent": TOKEN })(
      response,
      { headers, body, method: "", url: "" },
      0,
    );
  };

const HOSTILE: [string, Behaviour][] = [
  ["HTML in a 200", html(200)],
  ["HTML in a 502", html(502)],
  ["a number", json(42)],
  ["a text", json('"rows"')],
  ["null", json(null)],
  ["rows that are none", json([1, null, "x", []])],
  ["an error in a 200", json({ error: "internal", message: "boom" })],
  ["a refusal in a 200", json({ success: false, message: "boom" })],
  ["a worker that was killed", json({ code: "WORKER_LIMIT" }, 546)],
  ["a paused project", json({ message: "Project paused" }, 540)],
  ["unpaid bills", json({ message: "restricted" }, 402)],
  ["an empty 404", json("", 404)],
  ["an empty 500", json("", 500)],
  ["no rights", json({ error: "insufficient_scope" }, 403)],
  ["a token that is refused for ever", json({ code: 401, message: "Invalid JWT" }, 401)],
  ["a refused anon key", json({ message: "Invalid API key" }, 401)],
  ["an echo in a 400", echo(400)],
  ["an echo in a 500", echo(500)],
  ["an echo in a 200", echo(200)],
  ["half an answer", cutAfter('[{"id":')],
  ["an endless answer", endless("x".repeat(50_000))],
];
const SLOW: [string, Behaviour][] = [
  ["no answer", stallHeaders],
  ["a body that stops", stallBody()],
  ["a body that drips", drip(20)],
];

async function start(behaviour: Behaviour, timeoutMs = 2000) {
  let exchanges = 0;
  const server = await serve((response, request, index) => {
    if (request.url !== "/functions/v1/agent-auth") return behaviour(response, request, index);
    exchanges += 1;
    json({ access_token: TOKEN, organization_id: "org-1", expires_in: 3600 })(response, request, index);
  });
  const bench = createBench({
    ...{ nexus: server.origin, nexusApiKey: NEXUS_API_KEY, nexusAnonKey: NEXUS_ANON_KEY, timeoutMs },
  });
  await bench.learnOrganization();
  return { bench, server, exchanges: () => exchanges };
}

const outcome = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`it was taken for an answer: ${JSON.stringify(value)}`),
    (error) => error,
  );

function expectNoSecret(error: unknown) {
  expect(error instanceof HttpError || error instanceof OperationError, String(error)).toBe(true);
  const told = `${error} ${JSON.stringify(error)} ${inspect(error, { depth: 10 })}`;
  for (const secret of SECRETS) expect(told).not.toContain(secret);
}

/** A write as the executor sends it, without its precondition. */
async function send(bench: Awaited<ReturnType<typeof start>>["bench"], name: string, input: object) {
  const operation = operationNamed(name);
  const parsed = operation.input.parse(input);
  const request = operation.request?.(parsed, bench.factsOf("nexus"));
  if (!request) throw new Error(`nothing is sent for ${name}`);
  let isAnswered = false;
  try {
    const answer = await bench.sender.writeOnce(request, AbortSignal.timeout(60_000));
    isAnswered = true;
    return { error: undefined, value: operation.output(answer, parsed) };
  } catch (error) {
    return { error, attempt: isAnswered ? answerFailed(error) : sendingFailed(error) };
  }
}

describe.each(HOSTILE)("a gateway that answers %s", (what, behaviour) => {
  test("fails every read, and reveals no secret", async () => {
    const { bench, exchanges } = await start(behaviour);
    for (const [name, input] of Object.entries(READS)) {
      // A function may return any list.
      const isFreeForm = name === "nexus.invites.list" && what === "rows that are none";
      if (isFreeForm) await bench.run(name, input);
      else expectNoSecret(await outcome(bench.run(name, input)));
    }
    // A refused token is exchanged once for each request, and never in a loop.
    expect(exchanges()).toBeLessThanOrEqual(2 + 5 * Object.keys(READS).length);
  });

  test("gets every write once, and none counts as done", async () => {
    for (const [name, input] of Object.entries(WRITES)) {
      const { bench, server, exchanges } = await start(behaviour);
      // Apart from exchanges: a refused token is replaced for the next request that needs it.
      const sent = () => server.requests.length - exchanges();
      const before = sent();
      const { error, attempt } = await send(bench, name, input);
      expectNoSecret(error);
      expect(["refused", "in_doubt"]).toContain(attempt?.kind);
      const text = JSON.stringify(attempt);
      for (const secret of SECRETS) expect(text).not.toContain(secret);
      expect(sent() - before).toBe(1);
    }
  });
});

describe.each(SLOW)("a gateway that gives %s", (_, behaviour) => {
  test("is given up: reads fail, and a write is in doubt", async () => {
    const { bench } = await start(behaviour, 150);
    const error = await outcome(bench.run("nexus.orders.list", {}));
    expect(error).toMatchObject({ kind: "timeout", maybeSent: true });
    const { attempt } = await send(bench, "nexus.calls.initiate", WRITES["nexus.calls.initiate"]);
    expect(attempt).toMatchObject({ kind: "in_doubt" });
  });
});

describe("a gateway that redirects to another origin", () => {
  test.each([301, 302, 303, 307, 308])("with %i causes no request there", async (status) => {
    const elsewhere = await serve(json([]));
    const { bench } = await start(redirect(`${elsewhere.origin}/rest/v1/orders`, status));
    for (const [name, input] of Object.entries(READS)) expectNoSecret(await outcome(bench.run(name, input)));
    for (const [name, input] of Object.entries(WRITES)) {
      const { error, attempt } = await send(bench, name, input);
      expectNoSecret(error);
      expect(attempt?.kind).not.toBe("done");
    }
    expect(elsewhere.requests).toEqual([]);
  });

  test("does not get the key during the exchange either", async () => {
    const elsewhere = await serve(json({ access_token: TOKEN, organization_id: "o" }));
    const server = await serve(redirect(`${elsewhere.origin}/functions/v1/agent-auth`, 307));
    const bench = createBench({
      nexus: server.origin,
      nexusApiKey: NEXUS_API_KEY,
      nexusAnonKey: NEXUS_ANON_KEY,
    });
    expectNoSecret(await outcome(bench.learnOrganization()));
    expect(elsewhere.requests).toEqual([]);
  });
});
