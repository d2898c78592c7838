// The user at the other end of a socket, according to the kernel.

import { spawn } from "node:child_process";
import { chmodSync } from "node:fs";
import { isBuiltin } from "node:module";
import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startTestControl } from "../support/control.ts";

const hasFfi = process.platform === "linux" && isBuiltin("node:ffi");

test.runIf(hasFfi)("an operator's action is recorded with the user's name", async () => {
  const { call, writes } = await startTestControl();
  const { id, digest } = writes.add();
  await call("POST", `/v1/writes/${id}/approve`, { body: { digest } });
  expect(writes.calls).toEqual([
    ["approve", id, digest, { via: "operator.sock", user: userInfo().username }, undefined],
  ]);
});

test.runIf(hasFfi && process.getuid?.() === 0)(
  "another user is recorded under another name, whatever the client claims (needs root)",
  async () => {
    const control = await startTestControl();
    const { id } = control.writes.add();
    const socket = control.sockets.operator;
    chmodSync(join(socket, ".."), 0o755);
    chmodSync(socket, 0o666);
    const script = `require("node:http").request({ socketPath: process.argv[1], path: "/v1/writes/${id}/reject", method: "POST",
    headers: { host: "localhost", "content-type": "application/json", "x-user": "root" } }, (answer) => answer.resume()).end('{"reason":"no"}')`;
    const child = spawn(process.execPath, ["-e", script, socket], { uid: 1, gid: 1, stdio: "inherit" });
    await new Promise((resolve) => child.once("exit", resolve));
    expect(control.writes.calls).toEqual([["reject", id, "no", { via: "operator.sock", user: "daemon" }]]);
  },
);

test("if the kernel cannot be asked, no user is named", async () => {
  const { peerUser } = await import("../../src/control/peer-user.ts");
  const { Socket } = await import("node:net");
  expect(peerUser(new Socket())).toBeNull();
});
