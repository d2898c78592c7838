import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { roleOf } from "../../src/control/inherited.ts";
import { takeInheritedSockets } from "../../src/systemd/activation.ts";
import fc from "../support/fc.ts";

const PID = 4711;
const SOCKETS = { agent: "/run/nexusd/agent.sock", operator: "/run/nexusd/operator.sock" };

// The descriptors of this process stand in for passed ones: they must be open, and are never used.
for (let fd = openSync("/dev/null", "r"); ; fd = openSync("/dev/null", "r")) {
  if (fd > 10) {
    closeSync(fd);
    break;
  }
}

test("every descriptor is taken by its name, from 3 on, even if several share one", () => {
  const env = { LISTEN_PID: "4711", LISTEN_FDS: "3", LISTEN_FDNAMES: "operator:agent:agent" };
  expect(takeInheritedSockets(env, PID)).toEqual([
    { fd: 3, name: "operator" },
    { fd: 4, name: "agent" },
    { fd: 5, name: "agent" },
  ]);
});

test.each([
  ["no names at all", {}],
  ["empty names", { LISTEN_FDNAMES: ":" }],
  ["what systemd calls one without a name", { LISTEN_FDNAMES: "unknown:unknown" }],
])("a descriptor without a name is taken too: %s", (_, names) => {
  const env = { LISTEN_PID: "4711", LISTEN_FDS: "2", ...names };
  expect(takeInheritedSockets(env, PID)).toEqual([
    { fd: 3, name: undefined },
    { fd: 4, name: undefined },
  ]);
});

test.each([
  ["another process", { LISTEN_PID: "4712", LISTEN_FDS: "1", LISTEN_FDNAMES: "agent" }],
  ["nobody", { LISTEN_FDS: "1", LISTEN_FDNAMES: "agent" }],
  ["a process without activation", {}],
  ["a count that is none", { LISTEN_PID: "4711", LISTEN_FDS: "one", LISTEN_FDNAMES: "agent" }],
])("sockets for %s are not taken", (_, env) => {
  expect(takeInheritedSockets({ ...env }, PID)).toEqual([]);
});

test("whatever the variables contain, no child sees them, and only counted descriptors are taken", () => {
  const value = fc.oneof(fc.string(), fc.integer().map(String), fc.constant(String(PID)));
  fc.assert(
    fc.property(value, fc.integer({ min: -2, max: 5 }), fc.array(fc.string()), (pid, count, names) => {
      const env: Record<string, string | undefined> = {
        LISTEN_PID: pid,
        LISTEN_PIDFDID: "1",
        LISTEN_FDS: String(count),
        LISTEN_FDNAMES: names.join(":"),
        KEPT: "yes",
      };
      const sockets = takeInheritedSockets(env, PID);
      expect(env).toEqual({ KEPT: "yes" });
      expect(sockets).toHaveLength(Number(pid) === PID ? Math.max(0, count) : 0);
      for (const { fd } of sockets) {
        expect(fd).toBeGreaterThanOrEqual(3);
        expect(fd).toBeLessThan(3 + count);
      }
    }),
  );
});

test("a count beyond the open descriptors ends at the last open one", () => {
  const env = { LISTEN_PID: "4711", LISTEN_FDS: "1000000000" };
  expect(takeInheritedSockets(env, PID).length).toBeLessThan(100_000);
});

test.each([
  ["agent", undefined, "agent"],
  ["operator", undefined, "operator"],
  ["nexusd-agent.socket", undefined, "agent"],
  ["nexusd-operator@work.socket", undefined, "operator"],
  ["operator.socket", "/elsewhere", "operator"],
  // The name is deliberate, the path may be a mistake.
  ["agent", SOCKETS.operator, "agent"],
  ["nexusd.socket", SOCKETS.operator, "operator"],
  [undefined, SOCKETS.agent, "agent"],
  [undefined, "/elsewhere", undefined],
  ["agents", undefined, undefined],
  ["reagent.socket", undefined, undefined],
  ["nexusd.socket", undefined, undefined],
])("a socket called %s at %s belongs to: %s", (name, path, role) => {
  expect(roleOf(name, path, SOCKETS)).toBe(role);
});
