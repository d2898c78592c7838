// The served fields of a session's record are listed one by one.

import { expect, it } from "vitest";
import { sessionView } from "../../src/contract/api/views.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";

it("a new field of a session's record is not exposed", () => {
  const session = newSession({ sessionId: "s", alias: null, baseUrl: "https://x", agentId: "me" });
  const served = sessionView.parse({ ...session, tail: { cursor: "1", id: "m", readAt: 1 }, later: "a key" });
  expect(Object.keys(served).sort()).toEqual(
    [
      ...["agentId", "alias", "baseUrl", "cursor", "expiresAt", "generation", "isCreator", "joinedAt"],
      ...["lastPolledAt", "members", "reason", "sessionId", "state", "ttlMs"],
    ].sort(),
  );
});
