// Objects bound to their creator, on the command line; and many writes rejected at once.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type CliResult, runHere } from "../support/cli.ts";
import { startTestControl } from "../support/control.ts";
import { createFakeTty, runAtTty } from "../support/tty.ts";
import { ORDER_ID, realWritePath } from "../support/write-path.ts";

const UPDATE = "nexus.orders.update_status";
let control: Awaited<ReturnType<typeof startTestControl>>;
beforeEach(async () => {
  control = await startTestControl({ writePath: (store, clock) => realWritePath({ store, clock }) });
});

interface Given {
  env?: Record<string, string>;
  stdin?: string;
  columns?: number;
}
const over =
  (role: "agent" | "operator") =>
  (args: string[], { env, stdin, columns }: Given = {}): Promise<CliResult> =>
    runHere(["--socket", control.sockets[role], ...args], columns, env, stdin);
const agent: ReturnType<typeof over> = (...given) => over("agent")(...given);
const operator: ReturnType<typeof over> = (...given) => over("operator")(...given);
const proposal = (status: string, ...more: string[]) => [
  ...["write", UPDATE, `orderId=${ORDER_ID}`, `orderStatus=${status}`, ...more],
];
/** A file as an editor or `echo` would write it. */
const fileWith = (text: string) => {
  const file = join(control.directory, `token-${Math.random()}`);
  writeFileSync(file, `${text}\n`);
  return file;
};
const refused = (code: string) => ({ code: 1, stdout: expect.stringContaining(`"${code}"`) });
const bound = async () => JSON.parse((await agent(proposal("shipped", "--bind"))).stdout);

describe("a bound write", () => {
  it("returns its token once, and nobody without it can withdraw the write", async () => {
    const { id, token, isBound } = await bound();
    expect([isBound, token]).toEqual([true, expect.stringMatching(/^nxd_tok_[\w-]{32}$/)]);
    expect((await agent(["writes", "show", id])).stdout).not.toContain(token);
    expect(await agent(["writes", "cancel", id])).toMatchObject(refused("token_required"));
    const wrong = ["writes", "cancel", id, "--token", `@${fileWith("nxd_tok_of-somebody-else")}`];
    expect(await agent(wrong)).toMatchObject(refused("token_required"));
    expect(JSON.parse((await agent(["writes", "show", id])).stdout).state).toBe("proposed");
  });

  it.each<[string, (token: string) => { args: string[]; given?: Given }]>([
    ["a file", (token) => ({ args: ["--token", `@${fileWith(token)}`] })],
    ["stdin", (token) => ({ args: ["--token", "-"], given: { stdin: `${token}\n` } })],
    ["the environment", (token) => ({ args: [], given: { env: { NEXUSD_TOKEN: token } } })],
  ])("can be withdrawn with its token from %s", async (_source, show) => {
    const { id, token } = await bound();
    const { args, given } = show(token);
    const { code, stdout } = await agent(["writes", "cancel", id, ...args], given);
    expect([code, JSON.parse(stdout).state]).toEqual([0, "cancelled"]);
  });

  it("can be withdrawn by an operator without a token", async () => {
    const { id } = await bound();
    expect(JSON.parse((await operator(["writes", "cancel", id])).stdout).state).toBe("cancelled");
  });

  it("takes no token from the command line, which everyone can read, and no empty one", async () => {
    const { id, token } = await bound();
    const cancel = ["writes", "cancel", id, "--token"];
    const shown = await agent([...cancel, token]);
    expect(shown).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("$NEXUSD_TOKEN") });
    expect(shown.stderr).not.toContain(token);
    expect((await agent([...cancel, `@${fileWith("")}`])).code).toBe(2);
    expect((await agent([...cancel, "@/nowhere/at/all"])).code).toBe(2);
  });

  it("prints its token for people, even with --wait", async () => {
    const { stderr, stdout } = await agent(proposal("shipped", "--bind"), { columns: 100 });
    expect(stderr).toMatch(/its token, which is shown only now: nxd_tok_[\w-]{32}$/m);
    expect(stdout).not.toContain("nxd_tok_");
    const waited = await agent(proposal("cancelled", "--bind", "--wait", "1ms"));
    expect(waited.stderr).toMatch(/nxd_tok_[\w-]{32}$/m);
    expect(JSON.parse(waited.stdout).isBound).toBe(true);
  });
});

it("a bound consumer can be placed, moved and deleted only with its token, or by an operator", async () => {
  const made = await agent(["consumers", "create", "mine", "--from", "oldest", "--bind"]);
  const { token } = JSON.parse(made.stdout);
  const given = { env: { NEXUSD_TOKEN: token } };
  const changes = [
    ["consumers", "create", "mine", "--from", "oldest"],
    ["consumers", "ack", "mine", "0"],
    ["consumers", "delete", "mine"],
  ];
  for (const args of changes) expect(await agent(args)).toMatchObject(refused("token_required"));
  for (const args of changes.slice(0, 2)) expect((await agent(args, given)).code).toBe(0);
  const file = fileWith(token);
  expect((await agent(["consumers", "ack", "mine", "0", "--token", `@${file}`])).code).toBe(0);
  expect((await agent(["consumers", "delete", "mine", "--token", "-"], { stdin: token })).code).toBe(0);
  await agent(["consumers", "create", "others", "--bind"]);
  expect((await operator(["consumers", "delete", "others"])).code).toBe(0);
  const told = await agent(["consumers", "create", "told", "--bind"], { columns: 100 });
  expect(told.stderr).toMatch(/nxd_tok_[\w-]{32}$/m);
});

describe("writes reject --all", () => {
  const states = async () => {
    const { writes } = JSON.parse((await agent(["writes", "--limit", "50"])).stdout);
    const of = ({ agent, operation, state }: Record<string, string>) => `${agent} ${operation} ${state}`;
    return writes.map(of).sort();
  };
  const CREATE = "nexus.customers.create";
  beforeEach(async () => {
    for (const name of ["wild", "calm"]) {
      await agent(proposal("shipped", "--agent", name));
      await agent(["write", CREATE, "firstName=Somebody", "--agent", name]);
    }
    expect((await states()).length).toBe(4);
  });

  it("rejects what the agent and operation filters match, and nothing else", async () => {
    const args = ["writes", "reject", "--all", "--agent", "wild", "--operation", "nexus.orders.*"];
    const { stdout } = await operator([...args, "--reason", "it ran wild", "--yes"]);
    expect(JSON.parse(stdout)).toMatchObject({ count: 1, writes: [{ agent: "wild", operation: UPDATE }] });
    expect(await states()).toEqual([
      ...[`calm ${CREATE} proposed`, `calm ${UPDATE} proposed`],
      ...[`wild ${CREATE} proposed`, `wild ${UPDATE} rejected`],
    ]);
    const all = ["writes", "reject", "--all", "--operation", "*", "--reason", "all", "--yes"];
    expect(JSON.parse((await operator(all)).stdout).count).toBe(3);
    expect(JSON.parse((await operator(all)).stdout)).toEqual({ count: 0, writes: [] });
  });

  it("shows them at a terminal and asks, and changes nothing if the answer is no", async () => {
    for (const [answer, state] of [
      ["n", "proposed"],
      ["y", "rejected"],
    ]) {
      const tty = createFakeTty();
      const args = ["writes", "reject", "--all", "--agent", "wild", "--reason", "no"];
      const done = runAtTty(["--socket", control.sockets.operator, ...args], tty);
      await tty.until(({ text }) => text().includes("[y/N]"));
      expect(tty.text()).toContain("Reject these 2 writes?");
      tty.type(`${answer}\r`);
      const { code } = await done;
      expect(code).toBe(state === "rejected" ? 0 : 1);
      expect((await states()).filter((one: string) => one.startsWith("wild"))).toEqual([
        ...[`wild ${CREATE} ${state}`, `wild ${UPDATE} ${state}`],
      ]);
    }
  });

  it("is wrong usage without a filter, with an id, or in a pipe without --yes; agents may not use it", async () => {
    const reject = (...args: string[]) => ["writes", "reject", ...args, "--reason", "no"];
    for (const args of [
      reject("--all"),
      reject("--all", "--agent", "wild"),
      reject("--all", "--agent", "wild", "01K"),
    ])
      expect((await operator(args)).code, args.join(" ")).toBe(2);
    expect(await agent(reject("--all", "--agent", "wild", "--yes"))).toMatchObject(refused("operator_only"));
    expect((await states()).every((one: string) => one.endsWith("proposed"))).toBe(true);
  });
});
