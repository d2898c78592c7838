import { describe, expect, it } from "vitest";
import { EVENT_NAMES, unknownType } from "../../src/contract/event-names.ts";

describe("a requested event type", () => {
  it.each([
    ["nexus.orders.pending", "nexusd.nexus.order.pending"],
    ["nexusd.nexus.orders.pending", "nexusd.nexus.order.pending"],
    ["nexus.ordr.*", "nexusd.nexus.order.*"],
    ["mesaging.*", "nexusd.messaging.*"],
    ["messaging.message.recieved", "nexusd.messaging.message.received"],
    ["writes.approved", "nexusd.write.approved"],
    ["jobs.failed", "nexusd.job.failed"],
    ["nexus.stock", "nexusd.nexus.stock.low"],
    ["daemon.exploded.into.many.pieces", "nexusd.daemon.*"],
  ])("%s is refused, and %s is suggested first", (type, near) => {
    expect(unknownType(type)).toMatch(
      new RegExp(`^is not an event type; did you mean ${near.replace("*", "\\*")}[ ?]`),
    );
  });

  it.each([
    ...["*", "messaging.*", "nexus.order.*", "nexusd.nexus.stock.low", "nexusd.*"],
    // Types of a user's own jobs.
    ...["shop.report.made", "nexusd.shop.*", "shop.*", "report", "payments.received", "next.day"],
  ])("%s is accepted", (type) => {
    expect(unknownType(type)).toBeUndefined();
  });

  it("is checked against the types of jobs, if those are known", () => {
    const own = ["shop.report.made", "nexusd.library.book.lent"];
    for (const type of ["shop.report.made", "shop.*", "library.book.*", "nex.*", "*"])
      expect(unknownType(type, own)).toBeUndefined();
    expect(unknownType("shop.reports.made", own)).toContain("did you mean nexusd.shop.report.made");
    expect(unknownType("library.boook.*", own)).toContain("did you mean nexusd.library.book.*");
    expect(unknownType("payments.received", own)).toContain("no own job declares one");
  });

  it("is accepted if it is one of nexusd's own", () => {
    for (const name of EVENT_NAMES) expect(unknownType(name)).toBeUndefined();
  });
});
