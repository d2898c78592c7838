// How doctor checks that NexusMessaging can be reached.

import type { Probe } from "../module.ts";

export const probe = (): Probe => ({
  ask: (send) => send({ method: "GET", path: "/health", label: "GET /health" }),
  success: "answers; it needs no key",
  refused: "NexusMessaging has no keys: check [messaging] base_url, and any proxy in between.",
});
