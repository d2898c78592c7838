import { expect, test } from "vitest";
import { takeInheritedSockets } from "../../src/systemd/activation.ts";
import fc from "../support/fc.ts";

const PID = 4711;

test("the sockets are found by the names of their units, from descriptor 3 on", () => {
  const env = { LISTEN_PID: "4711", LISTEN_FDS: "2", LISTEN_FDNAMES: "operator:agent" };
  expect(takeInheritedSockets(env, PID)).toEqual(
    new Map([
      ["operator", 3],
      ["agent", 4],
    ]),
  );
});

test.each([
  ["another process", { LISTEN_PID: "4712", LISTEN_FDS: "1", LISTEN_FDNAMES: "agent" }],
  ["nobody", { LISTEN_FDS: "1", LISTEN_FDNAMES: "agent" }],
  ["a process without activation", {}],
  ["a count that is none", { LISTEN_PID: "4711", LISTEN_FDS: "one", LISTEN_FDNAMES: "agent" }],
  ["sockets without names", { LISTEN_PID: "4711", LISTEN_FDS: "2" }],
])("sockets for %s are not taken", (_, env) => {
  expect(takeInheritedSockets({ ...env }, PID).size).toBe(0);
});

test("whatever the variables hold, no child sees them, and only counted descriptors are taken", () => {
  const value = fc.oneof(fc.string(), fc.integer().map(String), fc.constant(String(PID)));
  fc.assert(
    fc.property(value, fc.integer({ min: -2, max: 5 }), fc.array(fc.string()), (pid, count, names) => {
      const env: Record<string, string | undefined> = {
        LISTEN_PID: pid,
        LISTEN_FDS: String(count),
        LISTEN_FDNAMES: names.join(":"),
        KEPT: "yes",
      };
      const sockets = takeInheritedSockets(env, PID);
      expect(env).toEqual({ KEPT: "yes" });
      for (const fd of sockets.values()) {
        expect(fd).toBeGreaterThanOrEqual(3);
        expect(fd).toBeLessThan(3 + count);
      }
    }),
  );
});
