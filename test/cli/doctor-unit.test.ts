import { expect, test } from "vitest";
import { examineUnit } from "../../src/cli/doctor/unit.ts";

const shown = (active: string, sub: string, result = "success", load = "loaded") =>
  `Result=${result}\nLoadState=${load}\nActiveState=${active}\nSubState=${sub}\n`;

const examine = (text: string | undefined, isRunning = false) =>
  examineUnit(isRunning, { show: async () => text });

test.each([
  ["active", "running", "ok", null],
  ["activating", "auto-restart", "warn", "journalctl -u nexusd.service"],
  ["failed", "failed", "fail", "systemctl restart nexusd.service"],
  ["inactive", "dead", "fail", "systemctl enable --now nexusd.service"],
])("a unit that is %s (%s) is %s, with the command that fixes it", async (active, sub, state, remedy) => {
  const [check, ...rest] = await examine(shown(active, sub, "exit-code"));
  expect(rest).toEqual([]);
  expect(check).toMatchObject({
    check: "unit",
    state,
    detail: expect.stringContaining(`is ${active} (${sub})`),
  });
  if (remedy === null) expect(check?.remedy).toBeNull();
  else expect(check?.remedy).toContain(remedy);
});

test("a daemon started by hand beside an idle unit is only a warning", async () => {
  expect(await examine(shown("inactive", "dead"), true)).toMatchObject([{ state: "warn" }]);
});

test("without systemd, or without the unit, nothing is reported", async () => {
  expect(await examine(undefined)).toEqual([]);
  expect(await examine(shown("inactive", "dead", "success", "not-found"))).toEqual([]);
});

test("a failing systemctl is reported, not thrown", async () => {
  const show = async () => {
    throw new Error("Failed to connect to bus\nmore");
  };
  expect(await examineUnit(true, { show })).toMatchObject([
    { state: "warn", detail: expect.stringContaining("(Failed to connect to bus)") },
  ]);
});
