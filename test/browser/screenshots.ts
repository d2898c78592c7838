// The pictures of the operator's page in the README, `npm run screenshots`: a daemon on the sandbox, with an hour of
// made-up figures, and the page in Chromium.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { startSandbox } from "../../sandbox/servers.ts";
import { ask, install, startDaemon, until } from "../support/daemon.ts";
import { fillHistory } from "../support/measured.ts";
import { launch } from "./chromium.ts";
import { openOperator } from "./scene.ts";

const OUT = join(import.meta.dirname, "../../docs/screenshots");
const MOST_BYTES = 100_000;
const SIZE = { width: 1040, height: 660 };

const ports = { messaging: 0, nex: 0, nexus: 0 };
const sandbox = await startSandbox({ ports, quietLife: false });
await sandbox.nexus.ready;
const installation = install("");
const toml = readFileSync(join(import.meta.dirname, "../../config/sandbox.toml"), "utf8");
const urls = [sandbox.messaging.url, sandbox.nex.url, sandbox.nexus.url];
installation.configure(
  toml
    .replace(/\[daemon\]\ndata_dir = .*\n/, "")
    .replace(/base_url = ".*"/g, () => `base_url = "${urls.shift()}"`),
);
await fillHistory(installation.dataDir, "https://messaging.md");
const daemon = startDaemon(installation, SANDBOX_ENV);
// Even if something below fails.
process.once("exit", () => {
  daemon.process.kill("SIGKILL");
  installation.remove();
});
await daemon.ready;

const post = async (socket: string, path: string, body: unknown) => {
  const { status, text } = await ask(socket, path, { method: "POST", body });
  if (status >= 300) throw new Error(`${path}: ${text}`);
  return JSON.parse(text);
};
const orders = await until(async () => {
  const body = { operation: "nexus.orders.list", input: { orderStatus: "pending" } };
  const { output } = await post(installation.agentSocket, "/v1/reads", body);
  return output.orders.length >= 3 && output.orders;
}, "pending orders");
const propose = (operation: string, input: object, agent: string, reason: string) =>
  post(installation.agentSocket, "/v1/writes", { operation, input, agent, reason });
const status = (index: number, orderStatus: string) => ({ orderId: orders[index].id, orderStatus });
const UPDATE = "nexus.orders.update_status";

const before = await propose(UPDATE, status(2, "confirmed"), "bookkeeper", "Paid in cash at the counter.");
await post(installation.operatorSocket, `/v1/writes/${before.id}/approve`, { digest: before.digest });
const shown = await propose(
  UPDATE,
  status(0, "confirmed"),
  "bookkeeper",
  "Paid by transfer; it can go out today.",
);
await propose(
  UPDATE,
  status(1, "cancelled"),
  "shop-assistant",
  "The customer wrote that she does not want it any more.",
);
const note = { content: "Maria Lopez prefers deliveries in the afternoon." };
await propose("nex.context.add_text", note, "scout", "So that the next agent knows.");

mkdirSync(OUT, { recursive: true });
const browser = await launch();
const { tab, go, close, troubles } = await openOperator(browser, {
  ...{ socketPath: installation.operatorSocket, viewport: SIZE },
});
const shoot = async (name: string, route: string, selector: string) => {
  await go(route);
  await tab.locator(selector).first().waitFor();
  await tab.evaluate(() => document.querySelector<HTMLElement>(":focus")?.blur());
  const path = join(OUT, `${name}.png`);
  // Flat colours and text: without filters it is a quarter smaller than Chromium's own.
  const picture = PNG.sync.read(await tab.screenshot());
  const bytes = PNG.sync.write(picture, { colorType: 2, filterType: 0, deflateLevel: 9, deflateStrategy: 0 });
  writeFileSync(path, bytes);
  const size = bytes.length;
  if (size > MOST_BYTES)
    throw new Error(`${name}.png has ${size} bytes: at most ${MOST_BYTES} go into the README`);
};
await shoot("inbox", "inbox", ".proposals li");
await shoot("write", `inbox/${shown.id}`, ".review .decision");
await shoot("plots", "plots", ".plots .uplot");

await close();
await browser.close();
await daemon.end("SIGTERM");
await sandbox.close();
if (troubles.length > 0) throw new Error(troubles.join("\n"));
