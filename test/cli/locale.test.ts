// nexusctl's drawing in a locale with only ASCII, and in one with Unicode.

import { afterEach, expect, it } from "vitest";
import { createFakeDaemon, type FakeDaemon, runHere } from "../support/cli.ts";
import { serveWrites } from "../support/fake-writes.ts";

let daemon: FakeDaemon | undefined;
afterEach(() => daemon?.remove());

async function shown(env: Record<string, string>): Promise<string> {
  daemon = createFakeDaemon();
  const fake = serveWrites(daemon);
  await daemon.start();
  const body = JSON.stringify({ text: "word ".repeat(60) });
  const { id } = fake.propose({
    reason: "x".repeat(200),
    preview: { method: "POST", url: "https://x.example/", headers: [], body },
  });
  const show = await runHere(["--socket", daemon.socket, "writes", "show", id], 60, env);
  const list = await runHere(["--socket", daemon.socket, "writes"], 60, env);
  return show.stdout + list.stdout;
}

it.each([{ LC_ALL: "C" }, { LANG: "POSIX" }, { LC_CTYPE: "de_DE.ISO-8859-1", LANG: "C.UTF-8" }])(
  "draws in ASCII under %j",
  async (env) => {
    const text = await shown(env);
    expect(text).not.toMatch(/[^\n -~]/);
    expect(text).toContain("  | POST https://x.example/");
  },
);

it.each([{ LC_ALL: "en_US.UTF-8", LANG: "C" }, { LANG: "C.utf8" }, {}])(
  "draws in Unicode under %j",
  async (env) => {
    const text = await shown(env);
    expect(text).toContain("  │ POST https://x.example/");
    expect(text).toContain("┊");
  },
);
