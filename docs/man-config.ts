// The page of the configuration, from its annotated default.

import { item, type Page, paragraph, section, subsection, texts } from "./roff.ts";

const TABLE = /^(?:# )?(\[{1,2}[\w.-]+\]{1,2})$/;
const KEY = /^(# )?("?[\w.*-]+"?) = (.*?)(?:\s+# (.*))?$/;

/** @param text of config/nexusd.toml */
export function configPage(text: string): Page {
  const body: string[] = [];
  let remarks: string[] = [];
  /** What the remarks say, which belong to what comes after them. */
  const takeRemarks = (): string[] => {
    const taken = remarks;
    remarks = [];
    return texts(taken);
  };
  for (const line of text.split("\n")) {
    const table = TABLE.exec(line);
    const key = KEY.exec(line);
    if (table?.[1] !== undefined) {
      const about = takeRemarks();
      body.push(subsection(table[1]), ...about);
    } else if (key) {
      const [, optional, name = "", value = "", what = ""] = key;
      const about = takeRemarks();
      if (about.length > 0) body.push(...(body.at(-1)?.startsWith(".SS") ? [] : [".PP"]), ...about);
      body.push(
        item(`${name} = ${value}`, optional ? `${what}${what ? "; " : ""}optional, no default` : what),
      );
    } else if (line.startsWith("#")) remarks.push(line.slice(1).replace(/^ /, ""));
    else if (body.length === 0 && remarks.length > 0)
      body.push(section("DESCRIPTION"), ...takeRemarks(), section("KEYS"));
  }
  return {
    name: "nexusd.toml",
    section: 5,
    summary: "the configuration of nexusd",
    body: [
      section("SYNOPSIS"),
      paragraph("/etc/nexusd/nexusd.toml"),
      ...body,
      ...takeRemarks(),
      section("SEE ALSO"),
      ".BR nexusd (8),\n.BR nexusctl (1)",
    ],
  };
}
