/** The agent key of the Nexus stand-in and the tokens that it was exchanged for. */

import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import type { SandboxClock } from "./clock.ts";

const agentId = "0a000000-0000-4000-8000-000000000801";

export interface TokenOptions {
  clock: SandboxClock;
  apiKey: string;
  jwtSecret: string;
  organizationId: string;
  lifeS: number;
}

export interface Tokens {
  /** The access token, or undefined for a wrong or revoked key. */
  exchange(apiKey: string): Promise<string | undefined>;
  /** `foreign`: not a token of this server. `leewayS`: how long a token is accepted after its expiry. */
  judge(token: string, leewayS: number): "valid" | "expired" | "foreign";
  /** Later exchanges fail; existing tokens stay valid, as at Nexus. */
  revokeKey(): void;
  expireAll(): void;
}

export function openTokens(options: TokenOptions): Tokens {
  const expiryMs = new Map<string, number>();
  let isRevoked = false;

  return {
    async exchange(apiKey) {
      if (isRevoked || apiKey !== options.apiKey) return undefined;
      // PostgREST uses the real clock, not the sandbox's, and refuses a token from the future.
      const issuedAt = Math.floor(Date.now() / 1000);
      const token = await new SignJWT({
        role: "authenticated",
        organization_id: options.organizationId,
        org_role: "agent",
        agent_scopes: ["read", "write"],
        app_metadata: { organization_id: options.organizationId },
      })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setSubject(agentId)
        .setAudience("authenticated")
        .setJti(randomUUID())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + options.lifeS)
        .sign(new TextEncoder().encode(options.jwtSecret));
      expiryMs.set(token, options.clock.now() + options.lifeS * 1000);
      return token;
    },
    judge(token, leewayS) {
      const end = expiryMs.get(token);
      if (end === undefined) return "foreign";
      return options.clock.now() > end + leewayS * 1000 ? "expired" : "valid";
    },
    revokeKey() {
      isRevoked = true;
    },
    expireAll() {
      for (const token of expiryMs.keys()) expiryMs.set(token, Number.NEGATIVE_INFINITY);
    },
  };
}
