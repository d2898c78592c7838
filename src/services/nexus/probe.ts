// How doctor checks that Nexus is reachable, exchanges the key, and accepts both credentials.

import { z } from "zod";
import { readAnswer } from "../../http/answer.ts";
import type { Probe, ProbeOptions } from "../module.ts";

const tokenAnswer = z.looseObject({ access_token: z.string().regex(/^[\x21-\x7e]+$/) });

export function probe({ secret, isRunning }: ProbeOptions): Probe | undefined {
  const apiKey = secret("api_key");
  const anonKey = secret("anon_key");
  // An exchange is one of ten a minute, which the daemon may need; the daemon reports its last one itself.
  if (isRunning || apiKey === undefined || anonKey === undefined) return undefined;
  return {
    credential: { apikey: anonKey },
    async ask(send) {
      const label = "POST /functions/v1/agent-auth";
      const answer = await send({
        method: "POST",
        path: "/functions/v1/agent-auth",
        label,
        json: { api_key: apiKey },
        authorize: false,
      });
      const { access_token } = readAnswer(answer, tokenAnswer, { service: "nexus", label });
      return await send({
        method: "GET",
        path: "/rest/v1/orders?select=id&limit=1",
        label: "GET /rest/v1/orders",
        headers: { authorization: `Bearer ${access_token}` },
      });
    },
    success: "answers, exchanges the key for a token, and accepts both",
    refused:
      "Check what [nexus] api_key and anon_key refer to: the agent key may be revoked or expired, and begins with nxs_ak_.",
  };
}
