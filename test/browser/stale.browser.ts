// The page is stale as soon as nothing arrives any more; then nothing can be decided on it.

import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { hasChromium, inChromium } from "./chromium.ts";
import { isLive, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let proxy: Awaited<ReturnType<typeof startProxy>>;

beforeAll(async () => {
  if (!hasChromium) return;
  scene = await openScene();
  proxy = await startProxy(scene.installation.operatorSocket);
});
afterAll(async () => {
  proxy?.close();
  await scene?.close();
});

/** Between the page's server and the daemon. While it holds, it accepts connections and bytes, and passes none on. */
async function startProxy(socketPath: string) {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-proxy-"));
  const path = join(directory, "operator.sock");
  const sockets = new Set<Socket>();
  let isHolding = false;
  const server = createServer((near) => {
    const far = createConnection(socketPath);
    const pass = (from: Socket, to: Socket) => {
      sockets.add(from);
      from.on("data", (chunk) => isHolding || to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    };
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    hold: (now: boolean) => {
      isHolding = now;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

describe.skipIf(!hasChromium)(`a stale page, ${inChromium}`, () => {
  test("a stream silent for 20 s is shown as stale, and nothing can be decided until everything was read again", async () => {
    const { tab, go, close } = await scene.operator({
      ...{ socketPath: proxy.path, viewport: { width: 1000, height: 1600 } },
    });
    const { id } = await scene.propose("not by an old page");
    await go(`inbox/${id}`);
    const approve = tab.getByRole("button", { name: "Approve" });
    await approve.waitFor();
    await tab.keyboard.press("End");
    await expect.poll(() => approve.getAttribute("aria-disabled")).toBe("false");

    proxy.hold(true);
    const heldAt = performance.now();
    await tab
      .locator(".warning", { hasText: "This page is stale: nothing has come" })
      .waitFor({ timeout: 45_000 });
    expect(performance.now() - heldAt).toBeLessThan(30_000);
    expect(await approve.getAttribute("aria-disabled")).toBe("true");
    await approve.click({ force: true });
    // Decided meanwhile, without this page knowing.
    const direct = await scene.operator();
    await direct.go(`inbox/${id}`);
    await direct.tab.getByLabel(/^Reason/).fill("by somebody who saw it");
    await direct.tab.getByRole("button", { name: "Reject" }).click();
    await expect.poll(() => scene.stateOf(id)).toBe("rejected");
    expect(await tab.locator(".review .state").textContent()).toMatch(/^Open/);

    proxy.hold(false);
    await isLive(tab);
    expect(await tab.locator(".warning").textContent()).toBe("");
    await tab.locator(".review .state", { hasText: "by somebody who saw it" }).waitFor();
    await Promise.all([close(), direct.close()]);
  }, 120_000);

  test("the page shows when the daemon is away, and when it is back", async () => {
    const { tab, close } = await scene.operator();
    await scene.daemon.end("SIGTERM");
    await tab.locator(".warning", { hasText: /nexusd is away\. .*Deciding is off/ }).waitFor();
    const again = startDaemon(scene.installation);
    await again.ready;
    await isLive(tab);
    expect(await tab.locator(".warning").textContent()).toBe("");
    await close();
    await again.end("SIGKILL");
  });
});
