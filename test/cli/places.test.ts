// A configuration with relative paths, used from another directory than the one where the daemon was started.

import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runCli } from "../support/cli.ts";
import { temporaryDirectory } from "../support/store.ts";

const CONFIG = '[daemon]\ndata_dir = "data/mine"\n';

/** A directory with `config/mine.toml` in it, and a daemon's socket below `at` if that is given. */
async function installation(at?: string) {
  const root = realpathSync(temporaryDirectory());
  const config = join(root, "config", "mine.toml");
  mkdirSync(join(root, "config"));
  writeFileSync(config, CONFIG);
  if (at !== undefined) {
    const dataDir = join(root, at, "data", "mine");
    mkdirSync(dataDir, { recursive: true });
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"consumers":[]}');
    });
    await new Promise<void>((resolve) => server.listen(join(dataDir, "agent.sock"), resolve));
    onTestFinished(() => void server.close());
  }
  return { root, config };
}

it.each(["", "config"])(
  "finds the socket below the directory %j of the installation from anywhere",
  async (at) => {
    const { config, root } = await installation(at);
    for (const cwd of ["/", root, join(root, "config")])
      expect(await runCli(["--config", config, "consumers"], {}, cwd)).toMatchObject({ code: 0 });
  },
);

it("names every absolute path that it tried, if there is no socket", async () => {
  const { config, root } = await installation();
  const { code, stdout } = await runCli(["--config", config, "status"], {}, "/");
  expect(code).toBe(69);
  const { detail } = JSON.parse(stdout);
  for (const path of ["/", join(root, "config"), root])
    expect(detail).toContain(join(path, "data/mine/agent.sock"));
  const here = await runCli(["--config", "config/mine.toml", "status"], {}, root);
  expect(JSON.parse(here.stdout).detail).toContain(`No daemon at ${root}/data/mine/agent.sock`);
});
