// nexusctl consumers and writes wait against the real control API.

import { expect, test } from "vitest";
import { runCli, runHere } from "../support/cli.ts";
import { message, startTestControl } from "../support/control.ts";

test("create --if-absent creates a consumer once, and leaves an existing one where it is", async () => {
  const { sockets, append } = await startTestControl();
  const nexusctl = (...args: string[]) => runCli(["--socket", sockets.agent, "consumers", ...args]);
  await append(message());
  const made = await nexusctl("create", "me", "--if-absent", "--from", "oldest");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(made.stdout)).toMatchObject({ name: "me", position: 0 });
  const again = await nexusctl("create", "me", "--if-absent", "--type", "messaging.*");
  expect(again).toMatchObject({ code: 0, stderr: 'nexusctl: "me" already exists and stays as it is\n' });
  expect(JSON.parse(again.stdout)).toMatchObject({ name: "me", position: 0, types: null });
});

test("show prints what is pending, as JSON and in words", async () => {
  const { sockets, append } = await startTestControl();
  const nexusctl = (...args: string[]) => runCli(["--socket", sockets.agent, "consumers", ...args]);
  await nexusctl("create", "me");
  await append(message(), message());
  expect(JSON.parse((await nexusctl("show", "me")).stdout)).toMatchObject({
    ...{ name: "me", pending: { count: 2, oldest: 1, newest: 2 } },
  });
  expect(await nexusctl("show", "nobody")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("Create it with: nexusctl consumers create nobody"),
  });
});

test("list shows how many events are pending for each consumer, and since when", async () => {
  const { sockets, append } = await startTestControl();
  const args = ["--socket", sockets.agent, "consumers"];
  await runCli([...args, "create", "behind", "--from", "oldest"]);
  await append(message(), message());
  await runCli([...args, "create", "done"]);
  const listed = JSON.parse((await runCli(args)).stdout);
  expect(listed.consumers).toMatchObject([{ pending: { count: 2 } }, { pending: { count: 0 } }]);
  const { stdout } = await runHere(args, 120);
  expect(stdout).toMatch(/^CONSUMER +POSITION +PENDING /);
  expect(stdout).toMatch(/^behind +0 +2, \d+ s ago +all /m);
  expect(stdout).toMatch(/^done +2 +- +all /m);
});
