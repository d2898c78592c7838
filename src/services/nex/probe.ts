// How doctor checks that Nex is reachable and accepts the key.

import type { Probe, ProbeOptions } from "../module.ts";

export function probe({ secret }: ProbeOptions): Probe | undefined {
  const apiKey = secret("api_key");
  if (apiKey === undefined) return undefined;
  return {
    credential: { authorization: `Bearer ${apiKey}` },
    ask: (send) =>
      send({ method: "GET", path: "/api/developers/v1/insights?limit=1", label: "GET /v1/insights" }),
    success: "answers and accepts the key",
    refused:
      "Check the key that [nex] api_key refers to, and that it has the scope insight.stream; create keys at https://app.nex.ai/settings/developer",
  };
}
