// The version of this nexusd, from the package.json beside src/ (or beside it in dist/).

import { readFileSync } from "node:fs";

export function readVersion(): string {
  const file = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string; // our own file
  };
  return file.version;
}
