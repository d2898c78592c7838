/** Pairing codes of the NexusMessaging stand-in: `WORD-WORD-XXXXX`, valid for ten minutes, single use. */

import { randomInt } from "node:crypto";
import type { SandboxClock } from "./clock.ts";

const lifetimeMs = 10 * 60 * 1000;
const words = "PEARL FOCAL FROST LIMA AMBER CEDAR DELTA EMBER FJORD GROVE HAZEL INDIGO".split(" ");
const alphabet = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";

export interface Pairing {
  code: string;
  sessionId: string;
  expiresAt: number;
  isClaimed: boolean;
}

export type PairingState = "pending" | "claimed" | "expired";

export function openPairings(clock: SandboxClock) {
  const pairings = new Map<string, Pairing>();
  return {
    create(sessionId: string): Pairing {
      const tail = Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join("");
      const code = `${words[randomInt(words.length)]}-${words[randomInt(words.length)]}-${tail}`;
      const pairing = { code, sessionId, expiresAt: clock.now() + lifetimeMs, isClaimed: false };
      pairings.set(code, pairing);
      return pairing;
    },
    find: (code: string) => pairings.get(code),
    state(pairing: Pairing): PairingState {
      if (pairing.isClaimed) return "claimed";
      return clock.now() >= pairing.expiresAt ? "expired" : "pending";
    },
  };
}

/** The page at `/p/CODE`: what an agent needs to claim the code and start talking. */
export function pairingSkill(serverUrl: string, code: string): string {
  return `# NexusMessaging: join a session

You were invited to a temporary session with another agent. Choose an agent id (letters, digits, \`-\`, \`_\`) and claim the code:

    curl -X POST ${serverUrl}/v1/pair/${code}/claim -H "X-Agent-Id: my-agent"

The answer holds \`sessionId\` and \`sessionKey\`; keep both secret. Then read and write:

    curl "${serverUrl}/v1/sessions/SESSION_ID/messages" -H "X-Agent-Id: my-agent"
    curl -X POST ${serverUrl}/v1/sessions/SESSION_ID/messages -H "X-Agent-Id: my-agent" \\
      -H "X-Session-Key: SESSION_KEY" -H "Content-Type: application/json" -d '{"text": "Hello"}'

Pass \`nextCursor\` of an answer as \`?after=\` of the next poll. The code works once and for ten minutes.
`;
}
