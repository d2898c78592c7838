// What keeps a store from being opened, each in one line; and that there is one nexusd on a schema.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { postgresUrl, TEST_KEY } from "../../support/open-store.ts";
import { numbered } from "../../support/store.ts";
import { connectTo, newSchema, openPostgres } from "./harness.ts";
import { startPooler } from "./pooler.ts";

const ONE_LINE = /^[^\n]*; [^\n]*$/;

const refusal = async (options: Parameters<typeof openPostgres>[0]) => {
  const error = await openPostgres(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "StoreError", message: expect.stringMatching(ONE_LINE) });
  return error;
};

test("a second daemon with the name of a node is refused while that runs, and let in when it is gone", async () => {
  const schema = newSchema();
  const first = await openPostgres({ schema, node: "alpha", version: "1.2.3" });
  expect(await refusal({ schema, node: "alpha" })).toMatchObject({
    code: "locked",
    message: expect.stringMatching(/another daemon runs as node alpha \(nexusd 1\.2\.3, since 20/),
  });
  await first.close();
  const second = await openPostgres({ schema, node: "alpha" });
  await expect(first.probe()).rejects.toMatchObject({ code: "unusable" });
  await second.probe();
});

test("after a SIGKILL of the first, a second one with its name has the schema at once", async () => {
  const schema = newSchema();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./holder.ts", import.meta.url)), postgresUrl(), schema],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(await refusal({ schema, node: "holder" })).toMatchObject({ code: "locked" });
  const closed = new Promise((resolve) => child.on("close", resolve));
  child.kill("SIGKILL");
  await closed;
  const store = await openPostgres({ schema, node: "holder" });
  // What the first one committed is all there.
  expect(await store.readEvents({ after: 0, limit: 10 })).toMatchObject({ latest: 3 });
});

test("nodes that start at once on a new schema wait for the one that migrates", async () => {
  const schema = newSchema();
  const nodes = ["a", "b", "c"].map((node) => openPostgres({ schema, node }));
  const stores = await Promise.all(nodes);
  expect(new Set(stores.map(({ epoch }) => epoch)).size).toBe(1);
  expect((await stores[0]?.fleet.nodes())?.map(({ name }) => name)).toEqual(["a", "b", "c"]);
});

test("a schema that must be migrated is left as it is while a node runs on it, which is named", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema, node: "alpha" });
  const superuser = await connectTo(schema);
  const { rows } = await superuser.query("SELECT version FROM schema_version");
  await superuser.query("UPDATE schema_version SET version = version - 1");
  expect(await refusal({ schema, node: "beta" })).toMatchObject({
    code: "locked",
    message: expect.stringMatching(/in use by nexusd alpha, since 20[^;]*; stop it first$/),
  });
  await superuser.query("UPDATE schema_version SET version = $1", [rows[0].version]);
  await store.probe();
});

test("a schema of a newer nexusd is refused and left as it is", async () => {
  const schema = newSchema();
  await (await openPostgres({ schema })).close();
  const superuser = await connectTo(schema);
  await superuser.query("UPDATE schema_version SET version = 99");
  expect(await refusal({ schema })).toMatchObject({
    code: "newer_version",
    message: expect.stringContaining("the schema has version 99, this nexusd knows "),
  });
  expect((await superuser.query("SELECT version FROM schema_version")).rows).toEqual([{ version: 99 }]);
});

test("a privilege that is missing is named, at the start and while it is open", async () => {
  const schema = newSchema();
  const superuser = await connectTo("public");
  await superuser.query(`CREATE ROLE ${schema} LOGIN`);
  const url = new URL(postgresUrl());
  url.username = schema;
  expect(await refusal({ url: url.href, schema })).toMatchObject({
    message: expect.stringMatching(/a privilege is missing \(permission denied for database postgres\)/),
  });
  await superuser.query(`GRANT CREATE ON DATABASE postgres TO ${schema}`);
  const store = await openPostgres({ url: url.href, schema });
  await store.commitObservation({ source: "s", events: [numbered(1)] });
  await superuser.query(`ALTER TABLE ${schema}.events OWNER TO postgres`);
  await expect(store.commitObservation({ source: "s", events: [numbered(2)] })).rejects.toMatchObject({
    code: "read_only",
    message: expect.stringContaining("permission denied for table events"),
  });
  await superuser.query(`ALTER TABLE ${schema}.events OWNER TO ${schema}`);
  expect((await store.commitObservation({ source: "s", events: [numbered(2)] })).latest).toBe(2);
});

test.each([
  ["nothing listens there", "postgres://postgres@127.0.0.1:1/postgres", "io", "cannot be reached"],
  ["it is no URL", "the database over there", "unusable", "it is not a URL of PostgreSQL"],
  ["it is of another protocol", "https://example.com/x", "unusable", "it is not a URL of PostgreSQL"],
])("where %s, it says so, and does not repeat the URL", async (_what, url, code, words) => {
  const error = await refusal({ url });
  expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
  expect(String(error)).not.toContain("over there");
});

test("a database that is not there, or not UTF-8, or asks for TLS that the server has not, is refused as that", async () => {
  const missing = new URL(postgresUrl());
  missing.pathname = "/missing";
  expect(await refusal({ url: missing.href })).toMatchObject({
    code: "unusable",
    message: expect.stringContaining('database "missing" does not exist'),
  });
  const superuser = await connectTo("public");
  const name = newSchema();
  await superuser.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' TEMPLATE template0`);
  const latin = new URL(postgresUrl());
  latin.pathname = `/${name}`;
  expect(await refusal({ url: latin.href })).toMatchObject({
    message: expect.stringContaining("its encoding is LATIN1"),
  });
  await superuser.query(`DROP DATABASE ${name}`);
  expect(await refusal({ url: `${postgresUrl()}?sslmode=verify-full` })).toMatchObject({
    code: "io",
  });
});

test("no error names the password", async () => {
  const url = new URL(postgresUrl());
  url.password = "correct-horse-battery";
  url.pathname = "/missing";
  const error = await refusal({ url: url.href });
  expect(`${error instanceof Error ? `${error.stack} ${error.cause}` : error}`).not.toContain(
    "correct-horse",
  );
});

test("a pooler that lends sessions out for a transaction is refused with the reason; one for the whole connection is not", async () => {
  const lending = await startPooler(postgresUrl(), "transaction");
  expect(await refusal({ url: lending.url })).toMatchObject({
    code: "unusable",
    message: expect.stringMatching(/a pooler that lends sessions out.*session mode/),
  });
  const keeping = await startPooler(postgresUrl(), "session");
  const store = await openPostgres({ url: keeping.url });
  await store.probe();
});

test("a key that is not the database's is refused, and nothing is stored in clear", async () => {
  const schema = newSchema();
  const store = await openPostgres({ schema });
  await store.commitObservation({ source: "s", secrets: [{ name: "session", value: "a-key-of-a-session" }] });
  await store.close();
  const superuser = await connectTo(schema);
  const { rows } = await superuser.query("SELECT value FROM secrets");
  expect(JSON.stringify(rows)).not.toContain("a-key-of-a-session");
  const other = Buffer.alloc(32, 8);
  expect(await refusal({ schema, keys: [other] })).toMatchObject({
    code: "unusable",
    message: expect.stringContaining("encrypted under another key"),
  });

  // Rotated while it runs: the new one first, then alone.
  const running = await openPostgres({ schema });
  await expect(running.setKeys([other])).rejects.toMatchObject({ code: "unusable" });
  await running.setKeys([other, TEST_KEY]);
  expect(await running.readSecret("session")).toBe("a-key-of-a-session");
  await running.setKeys([other]);
  expect(await running.readSecret("session")).toBe("a-key-of-a-session");
  await running.close();
  expect(await refusal({ schema, keys: [TEST_KEY] })).toMatchObject({ code: "unusable" });
  const reopened = await openPostgres({ schema, keys: [other] });
  expect(await reopened.readSecret("session")).toBe("a-key-of-a-session");

  // Two cannot be exchanged: the name is sealed in.
  await reopened.commitObservation({ source: "s", secrets: [{ name: "other", value: "another-key-of-it" }] });
  await superuser.query("UPDATE secrets SET value = (SELECT value FROM secrets WHERE name = 'other')");
  await expect(reopened.readSecret("session")).rejects.toMatchObject({ code: "unusable" });
});
