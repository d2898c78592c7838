// The unit files, as far as they can be checked without a running systemd.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SERVICES } from "../../src/services/list.ts";

const UNITS = new URL("../../systemd/", import.meta.url).pathname;
const read = (name: string) => readFileSync(join(UNITS, name), "utf8");
const settings = (name: string) =>
  read(name)
    .split("\n")
    .filter((line) => /^[A-Z]/.test(line));

describe("the template and the plain service", () => {
  const TEMPLATES = ["nexusd.service", "nexusd-agent.socket", "nexusd-operator.socket"];
  // An instance has its own files and sockets, but shares the directory of its sockets.
  const OWN =
    /^(Description|Requires|After|Also|ExecStart|ExecReload|WorkingDirectory|StateDirectory|CacheDirectory|LoadCredential|RuntimeDirectory\w*|ListenStream|Service)=/;

  test.each(TEMPLATES)("%s: are identical except for the instance's own parts", (name) => {
    const template = name.replace(".", "@.");
    const shared = (file: string) => settings(file).filter((line) => !OWN.test(line));
    expect(shared(template)).toEqual(shared(name));
    for (const line of settings(template).filter((line) =>
      /^(ListenStream|StateD\w+y|CacheD\w+y|LoadCred\w+|ExecStart|ExecReload)=/.test(line),
    ))
      expect(line).toContain("%i");
  });
});

test("the service can connect to its own sockets, as its watchdog pings require", () => {
  const user = settings("nexusd.service").find((line) => line.startsWith("User="));
  for (const socket of ["nexusd-agent.socket", "nexusd-operator.socket"])
    expect(settings(socket)).toContain(`Socket${user}`);
});

test("every secret of the services has a credential, plain and encrypted", () => {
  const service = read("nexusd.service");
  const keys = SERVICES.flatMap(({ name, secrets }) => secrets.map((key) => [name, key]));
  expect(keys.length).toBeGreaterThan(2);
  for (const [name, key] of keys) {
    const id = `${name}-${key}`.replaceAll("_", "-");
    // A relative source may be missing: then the service starts without it.
    expect(service).toContain(`\nLoadCredential=${id}:nexusd.${id}\n`);
    expect(service).toContain(`\n#LoadCredentialEncrypted=${id}:nexusd.${id}\n`);
  }
});

const analyze = (...args: string[]) => {
  try {
    return { code: 0, output: execFileSync("systemd-analyze", args, { encoding: "utf8", stdio: "pipe" }) };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
    return { code: status ?? -1, output: `${stdout}${stderr}` };
  }
};

describe.skipIf(analyze("--version").code !== 0)("systemd itself (needs systemd-analyze)", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "nexusd-units-"));
    cpSync(UNITS, directory, { recursive: true });
    const launcher = new URL("../../bin/nexusd", import.meta.url).pathname;
    for (const name of readdirSync(directory).concat("user/nexusd.service"))
      if (name.endsWith(".service")) {
        // The package is not installed here, and neither is its documentation.
        const text = readFileSync(join(directory, name), "utf8")
          .replaceAll("/usr/bin/nexusd", launcher)
          .replaceAll("/usr/bin/nexusctl", launcher.replace("nexusd", "nexusctl"));
        writeFileSync(join(directory, name), text);
      }
    mkdirSync(join(directory, "run"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("finds no fault in the units", () => {
    const units = readdirSync(directory).filter((name) => /\.(service|socket)$/.test(name));
    expect(units).toHaveLength(6);
    expect(analyze("verify", "--man=no", ...units.map((name) => join(directory, name)))).toMatchObject({
      code: 0,
      output: "",
    });
  });

  test.each(["nexusd.service", "nexusd@.service"])("rates the exposure of %s at 1.3 or below", (name) => {
    const { code, output } = analyze("security", "--offline=true", "--threshold=13", join(UNITS, name));
    expect(output).toMatch(/Overall exposure level/);
    expect(code).toBe(0);
  });
});
