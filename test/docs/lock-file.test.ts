// What is installed is what was locked: every package has a checksum, none comes from a host named in the lock file.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Entry {
  integrity?: string;
  resolved?: string;
  link?: true;
}

const lock: { packages: Record<string, Entry> } = JSON.parse(
  readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"),
);
const fromRegistry = Object.entries(lock.packages).filter(
  ([path, { link }]) => path.includes("node_modules/") && !link,
);

test("every package in the lock file has its integrity", () => {
  expect(fromRegistry.length).toBeGreaterThan(200);
  const without = fromRegistry.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ""));
  expect(without.map(([path]) => path)).toEqual([]);
});

test("no entry of the lock file names a registry host", () => {
  const named = Object.entries(lock.packages).filter(([, { resolved }]) => resolved?.includes("//"));
  expect(named.map(([path]) => path)).toEqual([]);
});
