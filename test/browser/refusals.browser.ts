// What an attacker can make a real browser do: another page, a frame, another name for this machine, an old link.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, inChromium, launch } from "./chromium.ts";
import { type Operator, openOperator, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let browser: Browser;
let victim: Operator;
let evil: Server;
let evilOrigin: string;

beforeAll(async () => {
  if (!hasChromium) return;
  scene = await openScene();
  // The owner of the name may point it at this machine.
  browser = await launch("MAP rebound.example 127.0.0.1, MAP evil.example 127.0.0.1");
  victim = await openOperator(browser, { socketPath: scene.installation.operatorSocket });
  evil = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<!doctype html><title>another page</title>");
  });
  await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve));
  evilOrigin = `http://evil.example:${(evil.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await victim?.close();
  await browser?.close();
  evil?.close();
  await scene?.close();
});

/** In the browser that has the page open, with its cookies. */
async function elsewhere(url: string): Promise<Tab> {
  const tab = await victim.tab.context().newPage();
  await tab.goto(url);
  return tab;
}

describe.skipIf(!hasChromium)(`the page under attack from the browser, ${inChromium}`, () => {
  test("another page can read nothing and decide nothing", async () => {
    const { id, digest } = await scene.propose("not from there");
    const port = Number(new URL(victim.origin).port);
    for (const origin of [evilOrigin, evilOrigin.replace("evil.example", "127.0.0.1")]) {
      const tab = await elsewhere(origin);
      const outcome = await tab.evaluate(
        async ([target, id, digest]) => {
          const attempt = async (path: string, init: RequestInit) => {
            try {
              const answer = await fetch(`${target}${path}`, { credentials: "include", ...init });
              return `${answer.type} ${answer.status} ${(await answer.text()).length}`;
            } catch {
              return "refused";
            }
          };
          const body = JSON.stringify({ digest });
          const approve = `/v1/writes/${id}/approve`;
          return [
            await attempt("/v1/status", {}),
            await attempt("/v1/status", { mode: "no-cors" }),
            await attempt(approve, { method: "POST", body, headers: { "content-type": "application/json" } }),
            await attempt(approve, { method: "POST", body, mode: "no-cors" }),
          ];
        },
        [victim.origin, id, digest] as const,
      );
      expect(outcome).toEqual([
        "refused",
        expect.stringMatching(/^opaque 0 0$|^refused$/),
        "refused",
        expect.any(String),
      ]);
      await tab.evaluate(
        ([target, id]) => {
          const form = document.createElement("form");
          Object.assign(form, {
            method: "post",
            action: `${target}/v1/writes/${id}/approve`,
            enctype: "text/plain",
          });
          document.body.append(form);
          form.submit();
        },
        [victim.origin, id] as const,
      );
      await tab.waitForURL(`http://127.0.0.1:${port}/**`);
      expect(await tab.locator("body").textContent()).toMatch(/Not a local client|another origin/);
      await tab.close();
    }
    expect(await scene.stateOf(id)).toBe("proposed");
  });

  test("the page cannot be framed", async () => {
    const tab = await elsewhere(evilOrigin);
    const frame = await tab.evaluate(async (address) => {
      const frame = document.createElement("iframe");
      frame.src = address;
      const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
      document.body.append(frame);
      await loaded;
      return frame.contentDocument === null;
    }, victim.origin);
    expect(frame).toBe(true);
    const inside = tab.frames().find((one) => one !== tab.mainFrame());
    expect(await inside?.locator("#app").count()).toBe(0);
    await tab.close();
  });

  test("another host name for this machine gets nothing", async () => {
    const { port } = new URL(victim.origin);
    const tab = await victim.tab.context().newPage();
    const answer = await tab.goto(`http://rebound.example:${port}/`);
    expect(answer?.status()).toBe(403);
    const status = await tab.evaluate(async () => (await fetch("/v1/status")).status);
    expect(status).toBe(403);
    await tab.close();
  });

  test("an old link, or one that was used, opens nothing in another browser", async () => {
    const context = await browser.newContext();
    const tab = await context.newPage();
    for (const key of ["", "#old", `#${"a".repeat(43)}`]) {
      await tab.goto("about:blank");
      await tab.goto(`${victim.origin}/open${key}`);
      await tab.locator("#words", { hasText: /This link is of a page that has ended/ }).waitFor();
      expect((await tab.goto(`${victim.origin}/`))?.status()).toBe(401);
    }
    await context.close();
  });

  test("the page itself still works, and no attack reached it", async () => {
    expect(victim.troubles).toEqual([]);
    await victim.tab.locator("header .link.good").waitFor();
  });
});
