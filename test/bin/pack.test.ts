// The npm package: built before it is packed, and complete.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));

test("the package that npm pack makes from a fresh checkout runs", () => {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-pack-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const checkout = join(directory, "checkout");
  for (const part of "bin config docs jobs sandbox src systemd test/support package.json tsconfig.json tsconfig.build.json tsconfig.types.json".split(
    " ",
  ))
    cpSync(part, join(checkout, part), { recursive: true });
  symlinkSync(resolve("node_modules"), join(checkout, "node_modules"));
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", directory], {
    cwd: checkout,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [, name = ""] = /"filename":\s*"([^"]+)"/.exec(packed) ?? [];
  execFileSync("tar", ["-xf", join(directory, name), "-C", directory]);
  symlinkSync(resolve("node_modules"), join(directory, "package/node_modules"));
  for (const command of ["nexusd", "nexusctl"])
    expect(execFileSync(join(directory, "package/bin", command), ["--version"], { encoding: "utf8" })).toBe(
      `${version}\n`,
    );
}, 240_000);
