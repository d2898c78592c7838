// This machine's Chromium; the tests are skipped, by name, if it has none.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const found = [
  process.env.NEXUSD_CHROMIUM ?? "",
  ...(process.env.PATH ?? "").split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name))),
].find((path) => path !== "" && existsSync(path));

export const hasChromium = found !== undefined;
/** Appended to the name of a suite. */
export const inChromium = hasChromium
  ? "in Chromium"
  : "in Chromium (skipped: there is none here; apt-get install chromium, or NEXUSD_CHROMIUM=PATH)";

/** @param rules as `--host-resolver-rules` has them */
export const launch = (rules?: string): Promise<Browser> =>
  chromium.launch({
    executablePath: found ?? "",
    // A sandbox needs a user other than root, or rights that a container lacks. All pages here are our own.
    args: [
      "--no-sandbox",
      "--enable-precise-memory-info",
      ...(rules ? [`--host-resolver-rules=${rules}`] : []),
    ],
  });
