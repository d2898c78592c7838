// An operator decides in the page: by keyboard alone, only what was on the screen, and never twice.

import type { Page as Tab } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { fingerprintOf } from "../../src/core/fingerprint.ts";
import { ask } from "../support/daemon.ts";
import type { Signer } from "../support/signers.ts";
import { hasChromium, inChromium } from "./chromium.ts";
import { type Operator, openScene, type Scene } from "./scene.ts";

const open: Operator[] = [];
let scene: Scene;

beforeAll(async () => {
  if (hasChromium) scene = await openScene();
});
afterAll(() => scene?.close());
afterEach(async () => {
  const troubles = open.flatMap((one) => one.troubles);
  await Promise.all(open.splice(0).map((one) => one.close()));
  expect(troubles).toEqual([]);
});

const operator = async (...options: Parameters<Scene["operator"]>): Promise<Operator> => {
  const one = await scene.operator(...options);
  open.push(one);
  return one;
};

/** Until the element with this name has the focus; no mouse anywhere. */
async function tabTo(tab: Tab, name: RegExp): Promise<void> {
  const focused = () =>
    tab.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return "";
      return element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement
        ? (element.labels?.[0]?.textContent ?? "")
        : (element.textContent ?? "");
    });
  for (let steps = 0; steps < 80; steps++) {
    if (name.test(await focused())) return;
    await tab.keyboard.press("Tab");
  }
  throw new Error(`Tab does not come to ${name}`);
}

const stateOnScreen = (tab: Tab) => tab.locator(".review .state");
const approve = (tab: Tab) => tab.getByRole("button", { name: "Approve" });
const isOff = (tab: Tab) => approve(tab).getAttribute("aria-disabled");

/** By keys, no faster than a person, until all of the request was on the screen. */
async function readToTheEnd(tab: Tab): Promise<void> {
  const reading = tab.locator(".reading");
  await tab.keyboard.press("Home");
  await expect
    .poll(
      async () => {
        const text = await reading.textContent();
        await tab.keyboard.press("PageDown");
        return text;
      },
      { interval: 500 },
    )
    .toMatch(/^All/);
}

/** Reads the request, and pastes a signature of the statement, by keys. */
async function handOver(tab: Tab, { name, sign }: Signer, statement: string): Promise<void> {
  await readToTheEnd(tab);
  await tabTo(tab, /^Signer/);
  await tab.keyboard.press("ControlOrMeta+A");
  await tab.keyboard.type(name);
  await tabTo(tab, /^Signature/);
  await tab.keyboard.press("ControlOrMeta+A");
  await tab.keyboard.insertText(sign(statement));
  await tabTo(tab, /Hand over/);
  await tab.keyboard.press("Enter");
}

async function aliasNow(): Promise<string> {
  const { text } = await ask(scene.installation.agentSocket, "/v1/messaging/sessions");
  return JSON.parse(text).sessions[0].alias;
}

describe.skipIf(!hasChromium)(`the inbox, ${inChromium}`, () => {
  test("a proposal can be opened, read to its end and approved by keyboard alone", async () => {
    const { tab } = await operator({ viewport: { width: 900, height: 500 } });
    const text = Array.from({ length: 60 }, (_, n) => `line ${n} of a long message`).join("\n");
    const { id } = await scene.propose(text, { reason: "the customer waits", agent: "scout" });
    await tab.getByText("scout: the customer waits").waitFor();
    expect(await tab.title()).toBe("(1) nexusd");

    await tabTo(tab, /the customer waits/);
    await tab.keyboard.press("Enter");
    await tab.getByRole("heading", { name: "Decide", exact: true }).waitFor();
    expect(await isOff(tab)).toBe("true");

    // To its end at once: the skipped part was not on the screen.
    await tab.keyboard.press("End");
    await tab.waitForFunction(() => scrollY > 500);
    await tabTo(tab, /^Note/);
    await tab.keyboard.type("go on");
    await tab.keyboard.press("Enter");
    expect(await scene.stateOf(id)).toBe("proposed");

    await tab.keyboard.press("Shift+Tab");
    const reading = tab.locator(".reading");
    for (let keys = 0; keys < 40 && (await isOff(tab)) === "true"; keys++) {
      const before = await reading.textContent();
      await tabTo(tab, /Show what has not/);
      await tab.keyboard.press("Enter");
      await expect.poll(() => reading.textContent()).not.toBe(before);
    }
    expect(await isOff(tab)).toBe("false");
    await tabTo(tab, /^Note/);
    await tab.keyboard.press("Enter");
    await expect.poll(() => scene.stateOf(id)).toBe("succeeded");
    await expect.poll(() => stateOnScreen(tab).textContent()).toMatch(/Approved.*go on.*Done/s);
    expect(await stateOnScreen(tab).textContent()).not.toMatch(/elsewhere/);
  });

  test("a long request cannot be approved before all of it was on the screen, scrolled by keys", async () => {
    const { tab, go } = await operator({ viewport: { width: 900, height: 500 } });
    const { id } = await scene.propose(Array.from({ length: 50 }, (_, n) => `row ${n}`).join("\n"));
    await go(`inbox/${id}`);
    await readToTheEnd(tab);
  });

  test("a rejection needs a reason, and the agent can read it", async () => {
    const { tab, go } = await operator();
    const { id } = await scene.propose("not today");
    await go(`inbox/${id}`);
    await tabTo(tab, /^Reason/);
    await tab.keyboard.press("Enter");
    await tab.getByText("Say why: the agent reads it.").waitFor();
    expect(await scene.stateOf(id)).toBe("proposed");
    await tab.keyboard.type("not before Monday");
    await tab.keyboard.press("Enter");
    await expect.poll(() => stateOnScreen(tab).textContent()).toMatch(/Rejected.*not before Monday/);
    expect(await scene.stateOf(id)).toBe("rejected");
  });

  test("a decision by another operator is shown in place, and the focus stays", async () => {
    const [one, two] = [await operator(), await operator()];
    const { id } = await scene.propose("decided twice");
    await Promise.all([one.go(`inbox/${id}`), two.go(`inbox/${id}`)]);
    await tabTo(one.tab, /^Note/);
    await one.tab.keyboard.type("half a no");
    await tabTo(two.tab, /^Reason/);
    await two.tab.keyboard.type("I was first");
    await two.tab.keyboard.press("Enter");

    await expect.poll(() => stateOnScreen(one.tab).textContent()).toMatch(/decided elsewhere.*I was first/s);
    expect(await one.tab.evaluate(() => (document.activeElement as HTMLInputElement).value)).toBe(
      "half a no",
    );
    expect(await one.tab.locator("li.ended .when").last().textContent()).toBe("rejected");
    await one.tab.keyboard.press("Enter");
    expect(await scene.stateOf(id)).toBe("rejected");
  });

  test("a refusal by the daemon is shown in its words", async () => {
    const { tab, go, troubles } = await operator();
    const { id, digest } = await scene.propose("decided behind the page's back");
    await go(`inbox/${id}`);
    await readToTheEnd(tab);
    // The stream brings it a moment later: in between the daemon refuses.
    await tab.route("**/approve", async (route) => {
      const path = `/v1/writes/${id}/approve`;
      await ask(scene.installation.operatorSocket, path, { method: "POST", body: { digest } });
      await route.continue();
    });
    await tabTo(tab, /^Note/);
    await tab.keyboard.press("Enter");
    await tab.locator(".decision .problem", { hasText: "The write has already been decided" }).waitFor();
    // Chromium reports each refusal on its console.
    expect(troubles.splice(0)).toEqual([expect.stringMatching(/status of 409/)]);
  });

  test("a signature made elsewhere decides the write, and the fingerprint is that of the statement", async () => {
    const { tab, go } = await operator();
    const input = { alias: "annex", session: scene.session };
    const { id } = await scene.proposeAny("messaging.aliases.upsert", input);
    await go(`inbox/${id}`);
    await tab.getByText("A signature approves this").waitFor();
    const { text } = await ask(scene.installation.agentSocket, `/v1/writes/${id}/statement`);
    const { hex, words } = await fingerprintOf(text);
    await expect.poll(() => tab.locator(".words li").allTextContents()).toEqual(words);
    expect((await tab.locator(".hex").textContent())?.trim()).toBe(hex.join(" "));
    expect(await tab.locator(".statement .line").allTextContents()).toEqual(
      text.replace(/\n$/, "").split("\n"),
    );

    await handOver(tab, scene.alice, text);
    await expect.poll(() => stateOnScreen(tab).textContent()).toMatch(/Approved by alice \(signature\)/);
    await expect.poll(() => scene.stateOf(id)).toBe("succeeded");
  });

  test("one signed rejection ends a write that two would have to approve", async () => {
    const { tab, go } = await operator();
    const { id } = await scene.proposeAny("messaging.sessions.renew", { session: scene.session });
    await go(`inbox/${id}`);
    await tab.getByRole("radio", { name: "reject" }).check();
    await tab.getByText("--decision reject").waitFor();
    const path = `/v1/writes/${id}/statement?decision=reject`;
    const { text } = await ask(scene.installation.agentSocket, path);
    await handOver(tab, scene.alice, text);
    await expect.poll(() => scene.stateOf(id)).toBe("rejected");
    await expect.poll(() => stateOnScreen(tab).textContent()).toMatch(/Rejected by alice \(signature\)/);
  });

  test("where two have to sign, the first signature is counted on every page, and the second one decides", async () => {
    const [one, two] = [await operator(), await operator()];
    const { id } = await scene.proposeAny("messaging.aliases.delete", { alias: await aliasNow() });
    await Promise.all([one.go(`inbox/${id}`), two.go(`inbox/${id}`)]);
    await one.tab.getByText("2 signatures approve this, of: alice, bob.").waitFor();
    const { text } = await ask(scene.installation.agentSocket, `/v1/writes/${id}/statement`);
    await handOver(one.tab, scene.alice, text);
    for (const { tab } of [one, two]) await tab.getByText("1 of them signed already.").waitFor();
    expect(await scene.stateOf(id)).toBe("proposed");
    // The same person once more is not the second.
    await handOver(one.tab, scene.alice, text);
    await one.tab.locator(".decision .problem, .signing .problem").waitFor();
    expect(await scene.stateOf(id)).toBe("proposed");
    one.troubles.splice(0); // Chromium reports the refusal on its console.

    await handOver(two.tab, scene.bob, text);
    await expect.poll(() => stateOnScreen(one.tab).textContent()).toMatch(/Approved by.*bob/);
    await expect.poll(() => scene.stateOf(id)).toBe("succeeded");
  });

  test("text from outside is shown as plain text, with hidden and reordering characters written out", async () => {
    const { tab, go } = await operator();
    const { id } = await scene.propose("<img src=x onerror=alert(1)>\u202e\u200b\u0007", {
      ...{ reason: "<b>bold</b>\u202eevil\u0000\u001b[2J", agent: "mallory\u2066" },
    });
    await go(`inbox/${id}`);
    await approve(tab).waitFor();
    const shown = (await tab.locator("main").textContent()) ?? "";
    expect(shown).toContain("<b>bold</b>\\u{202e}evil");
    expect(shown).toContain("mallory\\u{2066}");
    expect(shown).toContain("<img src=x onerror=alert(1)>");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u200b\u2066\u202e]/);
    await go("events");
    await tab.locator(".log li").first().waitFor();
    expect(await tab.locator("img, .log b").count()).toBe(0);
  });

  test("the bell rings only when switched on, and the title shows the count", async () => {
    const { tab } = await operator();
    await tab.evaluate(() => {
      const start = OscillatorNode.prototype.start;
      Object.assign(globalThis, { rung: 0 });
      OscillatorNode.prototype.start = function (...given) {
        Object.assign(globalThis, { rung: Reflect.get(globalThis, "rung") + 1 });
        start.apply(this, given);
      };
    });
    const rung = () => tab.evaluate(() => Reflect.get(globalThis, "rung"));
    const before = Number(/\((\d+)\)/.exec(await tab.title())?.[1] ?? 0);
    const count = (more: number) => expect.poll(() => tab.title()).toBe(`(${before + more}) nexusd`);
    await scene.propose("in silence");
    await count(1);
    expect(await rung()).toBe(0);
    await tabTo(tab, /Bell off/);
    await tab.keyboard.press("Enter");
    expect(await rung()).toBe(1);
    await scene.propose("with a bell");
    await count(2);
    expect(await rung()).toBe(2);
    expect(await tab.locator("p.unseen[role=status]").textContent()).toMatch(/New proposal/);
  });
});
