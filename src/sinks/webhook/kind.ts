// A server that accepts the events themselves, signed by Standard Webhooks.

import { z } from "zod";
import { duration, secretRef, whole } from "../../core/settings.ts";
import { targetUrl } from "../address.ts";
import { defineKind } from "../kind.ts";

const MOST_EVENTS = "must be a whole number from 1 to 1000";

const settings = {
  url: targetUrl,
  secret: secretRef,
  /** While one is replaced by another. */
  previous_secret: secretRef.optional(),
  format: z
    .enum(["structured", "batch"], { error: 'must be "structured" (one event a request) or "batch"' })
    .default("structured"),
  batch_events: whole.min(1, MOST_EVENTS).max(1000, MOST_EVENTS).default(100),
  timeout: duration("20s", "1s", "30s"),
  // A delivery is no wake: it costs no turn of a model, and there is nothing to be gathered for it.
  debounce: duration("0s", "0s", "1h"),
  max_wakes_per_hour: whole.min(1).max(3600).default(3600),
};
export type WebhookSettings = z.output<z.ZodObject<typeof settings>>;

export const webhook = defineKind({
  name: "webhook",
  settings,
  secrets: ["secret", "previous_secret"],
  address: "url",
  async create(context) {
    const { createWebhook } = await import("./target.ts");
    return createWebhook(context);
  },
});
