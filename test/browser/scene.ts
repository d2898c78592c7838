// A daemon with a stand-in of NexusMessaging, and operators who have its page open in a real Chromium.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page as Tab } from "playwright-core";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadAssets } from "../../src/page/assets.ts";
import { startPage } from "../../src/page/server.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { createSigner, type Signer, signerLine } from "../support/signers.ts";
import { launch } from "./chromium.ts";

export interface Proposed {
  id: string;
  digest: string;
}

export interface Scene {
  installation: Installation;
  daemon: RunningDaemon;
  messaging: MessagingServer;
  session: string;
  /** Her signature approves what gives a session another name; what removes one needs those of both. */
  alice: Signer;
  bob: Signer;
  /** A message that an operator decides about. */
  propose(text: string, more?: { reason?: string; agent?: string; ttl?: string }): Promise<Proposed>;
  /** Any write, by its operation. */
  proposeAny(operation: string, input: object): Promise<Proposed>;
  stateOf(id: string): Promise<string>;
  /** An operator with the page open, at the inbox, up to date. */
  operator(options?: OperatorOptions): Promise<Operator>;
  close(): Promise<void>;
}

export interface OperatorOptions extends BrowserContextOptions {
  /** Default: the daemon's own. */
  socketPath?: string;
}

export interface Operator {
  tab: Tab;
  origin: string;
  /** Errors and warnings on the console, including violations of the Content-Security-Policy, and thrown errors. */
  troubles: string[];
  /** Opens a view, such as "events" or "inbox/01M7…". */
  go(route: string): Promise<void>;
  close(): Promise<void>;
}

interface SceneOptions {
  toml?: string;
  /** Before the daemon starts. */
  prepare?: (installation: Installation) => Promise<void>;
}

export async function openScene({ toml = "", prepare }: SceneOptions = {}): Promise<Scene> {
  const messaging = await startMessaging({ rateLimit: null });
  const session = messaging.createSession({ ttl: 86_400 });
  const [alice, bob] = [createSigner("alice"), createSigner("bob")];
  const installation = install("");
  const signers = join(installation.directory, "signers");
  const lines = [alice, bob].map((signer) => signerLine(signer, 'namespaces="nexusd-decision"'));
  writeFileSync(signers, lines.join(""), { mode: 0o600 });
  installation.configure(`
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 20000
reserve_per_minute = 10000
[[messaging.sessions]]\nid = "${session}"\nalias = "workshop"
[nex]\nenabled = false
[nexus]\nenabled = false
[approvals]
signers = "${signers}"
[approvals.policy]
"messaging.messages.send" = "operator"
"messaging.aliases.upsert" = { by = "signed", signers = ["alice"] }
"messaging.sessions.renew" = { by = "signed", signers = ["alice", "bob"], quorum = 2 }
"messaging.aliases.delete" = { by = "signed", signers = ["alice", "bob"], quorum = 2 }
${toml}`);
  await prepare?.(installation);
  const daemon = startDaemon(installation, SANDBOX_ENV);
  const browser = await launch();
  await daemon.ready;
  await until(async () => {
    const { text } = await ask(installation.agentSocket, "/v1/messaging/sessions");
    return text.includes('"joined"');
  }, "the session");

  const proposeAny = async (operation: string, input: object, more: object = {}): Promise<Proposed> => {
    const body = { operation, input, ...more };
    const { status, text } = await ask(installation.agentSocket, "/v1/writes", { method: "POST", body });
    if (status !== 202) throw new Error(text);
    return JSON.parse(text);
  };

  return {
    ...{ installation, daemon, messaging, session, alice, bob, proposeAny },
    propose: (text, more = {}) => proposeAny("messaging.messages.send", { session, text }, more),
    async stateOf(id) {
      return JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text).state;
    },
    operator: (options) => openOperator(browser, { socketPath: installation.operatorSocket, ...options }),
    async close() {
      await browser.close();
      await daemon.end("SIGKILL");
      await messaging.close();
      installation.remove();
    },
  };
}

export async function openOperator(
  browser: Browser,
  { socketPath = "", ...options }: OperatorOptions,
): Promise<Operator> {
  const stop = new AbortController();
  const page = await startPage({
    ...{ port: 0, socketPath, assets: await bundled(), clock: systemClock },
    ...{ idleMs: 600_000, signal: stop.signal },
  });
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const tab = await context.newPage();
  const troubles: string[] = [];
  tab.on("console", (message) => {
    const { url } = message.location();
    if (message.type() !== "log") troubles.push(`${message.type()}: ${message.text()} ${url}`);
  });
  tab.on("pageerror", (error) => troubles.push(`thrown: ${error.message}`));
  const origin = `http://127.0.0.1:${page.port}`;
  await tab.goto(page.link);
  await tab.waitForURL(`${origin}/`);
  await isLive(tab);
  return {
    ...{ tab, origin, troubles },
    async go(route) {
      await tab.evaluate((hash) => {
        location.hash = hash;
      }, `#/${route}`);
    },
    async close() {
      await context.close();
      stop.abort();
      await page.ended;
    },
  };
}

/** Bundled once. */
let assets: ReturnType<typeof loadAssets> | undefined;
function bundled() {
  assets ??= loadAssets();
  return assets;
}

export const isLive = (tab: Tab): Promise<void> => tab.locator("header .link.good").waitFor();
