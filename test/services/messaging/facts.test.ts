import { describe, expect, it, test } from "vitest";
import { messagingSettings } from "../../../src/services/messaging/config.ts";
import { type MessagingFacts, messagingFacts } from "../../../src/services/messaging/facts.ts";
import { newSession, type Session } from "../../../src/services/messaging/membership/session.ts";
import { thrown } from "../../support/thrown.ts";

const session = (sessionId: string, alias: string | null = null): Session =>
  newSession({ sessionId, alias, baseUrl: "https://messaging.example", agentId: "nexusd" });

const settings = messagingSettings.parse({});

describe("a session", () => {
  const ids = ["0123456789abcdef", "0123456fffffffff", "fedcba9876543210"];
  const known = [
    session("0123456789abcdef", "workshop"),
    session("0123456fffffffff", "fedcba"),
    session("fedcba9876543210", null),
  ];
  let facts: MessagingFacts;
  test.beforeAll(() => {
    facts = messagingFacts(settings, known);
  });

  test.each([
    ["its id", "0123456789abcdef", ids[0]],
    ["its alias", "workshop", ids[0]],
    ["a beginning of its id that no other has", "01234567", ids[0]],
    ["an alias, before an id that begins with it", "fedcba", ids[1]],
  ])("is found by %s", (_name, given, id) => {
    expect(facts.session(given)).toEqual({
      sessionId: id,
      alias: known.find(({ sessionId }) => sessionId === id)?.alias,
      baseUrl: "https://messaging.example",
      agentId: "nexusd",
      leftAs: null,
      state: "new",
      isCreator: false,
      joinedAt: null,
      cursor: null,
      sentCursor: null,
      isSendInDoubt: false,
    });
  });

  test.each([
    ["of a beginning that two have", "012345", "ambiguous_session"],
    ["of a beginning that is too short to be safe", "fedcb", "session_not_found"],
    ["that is not there", "0123456789abcdee", "session_not_found"],
    ["of no name at all", "", "session_not_found"],
    ["of another spelling", "Workshop", "session_not_found"],
  ])("%s is refused, and no id is revealed", (_name, given, code) => {
    const error = thrown(() => facts.session(given));
    expect(error).toMatchObject({ code });
    for (const id of ids) expect(String(error)).not.toContain(id);
    if (given !== "") expect(String(error)).not.toContain(`"${given}"`);
  });

  it("with an ambiguous alias is refused", () => {
    const twice = [session("a".repeat(16), "same"), session("b".repeat(16), "same")];
    const same = messagingFacts(settings, twice);
    expect(thrown(() => same.session("same"))).toMatchObject({ code: "ambiguous_session" });
  });
});
