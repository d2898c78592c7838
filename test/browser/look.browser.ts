// Every view as people see it: at any width, in the dark, on paper, in their own colours, and with a screen reader.

import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../support/daemon.ts";
import { fillHistory } from "../support/measured.ts";
import { hasChromium, inChromium } from "./chromium.ts";
import { isLive, type Operator, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let someone: Operator;
let routes: Record<string, string>;

const WIDTHS = [320, 768, 1440];
const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  paper: { media: "print" },
  "forced colours": { forcedColors: "active" },
} as const;

beforeAll(async () => {
  if (!hasChromium) return;
  scene = await openScene({ prepare: ({ dataDir }) => fillHistory(dataDir, "https://messaging.md") });
  const { messaging, session } = scene;
  messaging.post(session, "shop-assistant", { text: "Order NX-1006 is paid.\nCan it go out today?" });
  const done = await scene.propose("done before");
  const body = { digest: done.digest };
  await ask(scene.installation.operatorSocket, `/v1/writes/${done.id}/approve`, { method: "POST", body });
  const long = `a word without end: ${"x".repeat(400)}`;
  const { id } = await scene.propose(long, { reason: long, agent: "scout" });
  const signed = await scene.proposeAny("messaging.aliases.upsert", { alias: "annex", session });
  routes = {
    ...{ inbox: "inbox", "one write": `inbox/${id}`, "a write to sign": `inbox/${signed.id}` },
    ...{ running: "running", events: "events", conversations: "conversations" },
    ...{ "a conversation": `conversations/${session}`, plots: "plots" },
  };
  someone = await scene.operator();
});
afterAll(async () => {
  await someone?.close();
  await scene?.close();
});

const READY: Record<string, string> = {
  inbox: ".proposals li",
  "one write": ".review .decision",
  "a write to sign": ".review .words",
  running: ".running tbody tr",
  events: ".log li",
  conversations: ".proposals li",
  "a conversation": ".messages li",
  plots: ".plots .uplot",
};

const views = Object.keys(READY);

describe.skipIf(!hasChromium)(`the look of the page, ${inChromium}`, () => {
  test.each(views)(
    "axe finds no fault in %s, at any width and in any theme, and nothing scrolls sideways",
    async (view) => {
      const { tab, go } = someone;
      await tab.setViewportSize({ width: 1440, height: 900 });
      await go(routes[view] ?? "");
      await tab
        .locator(READY[view] ?? "")
        .first()
        .waitFor();
      for (const [look, media] of Object.entries(LOOKS)) {
        await tab.emulateMedia({
          ...{ colorScheme: "light", media: "screen", forcedColors: "none" },
          ...media,
        });
        for (const width of WIDTHS) {
          await tab.setViewportSize({ width, height: width < 500 ? 640 : 900 });
          const overhang = await tab.evaluate(
            () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
          );
          expect(overhang, `${view} is wider than ${width} px (${look})`).toBeLessThanOrEqual(0);
          if (look === "paper" || (look !== "light" && width !== 320)) continue;
          expect(await violations(someone), `${view} at ${width} px, ${look}`).toEqual([]);
        }
      }
    },
  );

  test("the focused element is visibly focused, in every view", async () => {
    const { tab, go } = someone;
    await tab.emulateMedia({ colorScheme: "light", media: "screen", forcedColors: "none" });
    await tab.setViewportSize({ width: 768, height: 900 });
    for (const view of views) {
      await go(routes[view] ?? "");
      await tab
        .locator(READY[view] ?? "")
        .first()
        .waitFor();
      for (let steps = 0; steps < 15; steps++) {
        await tab.keyboard.press("Tab");
        const { outline, name } = await tab.evaluate(() => {
          const element = document.activeElement ?? document.body;
          const { outlineStyle, outlineWidth } = getComputedStyle(element);
          return { outline: `${outlineStyle} ${outlineWidth}`, name: element.outerHTML.slice(0, 120) };
        });
        if (name.startsWith("<body")) break;
        expect(outline, `${view}: ${name}`).toMatch(/^(?:solid|auto) [1-9]/);
      }
    }
  });

  test("each plot has a table and a CSV with all of its data", async () => {
    const { tab, go } = someone;
    await go("plots");
    const figure = tab.locator("figure", { hasText: "Median delay" });
    await figure.getByText("Table").click();
    expect(await figure.locator("thead th").allTextContents()).toEqual(["Time", "insights", "messages"]);
    const downloading = tab.waitForEvent("download");
    await figure.getByRole("button", { name: /CSV/ }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("nexusd-median-delay-hour.csv");
    const rows = (await (await download.createReadStream()).toArray()).join("").trimEnd().split("\r\n");
    expect(rows[0]).toBe("time,Median delay: insights (ms),Median delay: messages (ms)");
    expect(rows).toHaveLength(1 + (await figure.locator("tbody tr").count()));
    expect(rows.filter((row) => /Z,\d+,\d+$/.test(row)).length).toBeGreaterThan(50);
    await tab.getByLabel("day").check();
    await expect.poll(() => figure.locator("tbody tr").count()).not.toBe(rows.length - 1);
  });

  test("all of it without console output or a violation of the Content-Security-Policy", async () => {
    const { tab, go, troubles, origin } = someone;
    const asked: string[] = [];
    tab.on("request", (request) => asked.push(request.url()));
    await tab.reload();
    await isLive(tab);
    for (const view of views) {
      await go(routes[view] ?? "");
      await tab
        .locator(READY[view] ?? "")
        .first()
        .waitFor();
    }
    expect(troubles).toEqual([]);
    expect(asked.length).toBeGreaterThan(8);
    expect(asked.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
  });
});

interface Violation {
  id: string;
  targets: string[];
}

/** Run by the debugger, which the page's policy does not restrict. */
async function violations({ tab }: Operator): Promise<Violation[]> {
  await tab.evaluate(axe.source);
  return tab.evaluate(async () => {
    // axe defines itself as a global.
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => ({ id, targets: nodes.map(({ html }) => html.slice(0, 200)) }));
  });
}

interface AxeResults {
  violations: { id: string; nodes: { html: string }[] }[];
}
