import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { socketPaths } from "../../src/config/sockets.ts";

const UNITS = new URL("../../systemd/", import.meta.url).pathname;

test("the package's configuration starts without any secret, on the units' sockets", () => {
  const { config, secrets, warnings } = loadConfig({ path: `${UNITS}nexusd.toml`, env: {} });
  expect(secrets).toEqual({});
  expect(warnings).toEqual([]);
  const paths = socketPaths(config);
  for (const role of ["agent", "operator"] as const)
    expect(readFileSync(`${UNITS}nexusd-${role}.socket`, "utf8")).toContain(
      `\nListenStream=${paths[role]}\n`,
    );
});
