// An agent of an OpenClaw gateway, woken by its hooks.

import { z } from "zod";
import { secretRef } from "../../core/settings.ts";
import { targetUrl } from "../address.ts";
import { defineKind } from "../kind.ts";

const AGENT = 'must be the id of an agent of OpenClaw, such as "main"';

const settings = {
  url: targetUrl,
  token: secretRef,
  agent_id: z
    .string({ error: AGENT })
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, { error: AGENT })
    .default("main"),
};
export type OpenclawSettings = z.output<z.ZodObject<typeof settings>>;

export const openclaw = defineKind({
  name: "openclaw",
  settings,
  secrets: ["token"],
  address: "url",
  check({ url }) {
    const hasQuery = typeof url === "string" && URL.parse(url)?.search;
    return hasQuery
      ? [{ key: "url", message: "must not have a query (?): the gateway refuses a token in it" }]
      : [];
  },
  async create(context) {
    const { createOpenclaw } = await import("./target.ts");
    return createOpenclaw(context);
  },
});
