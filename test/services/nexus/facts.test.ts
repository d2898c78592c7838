import { describe, expect, it } from "vitest";
import { nexusFacts } from "../../../src/services/nexus/facts.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { thrown } from "../../support/thrown.ts";
import { httpError } from "../../writes/harness.ts";

const factsWith = (organizationId: () => Promise<string> = async () => "org-1", clock = createFakeClock()) =>
  nexusFacts("https://nexus.example", organizationId, clock);

describe("the organization", () => {
  it("is that of the agent key", async () => {
    expect((await factsWith()).organizationId()).toBe("org-1");
  });

  it("is unknown if the exchange fails, with the reason, and work that does not need it continues", async () => {
    const facts = await factsWith(() =>
      Promise.reject(httpError("network", { message: "nexus: no connection" })),
    );
    expect(facts.origin).toBe("https://nexus.example");
    expect(thrown(() => facts.organizationId())).toMatchObject({
      code: "service_unavailable",
      message: expect.stringContaining("nexus: no connection"),
    });
  });

  it("is unknown if the exchange takes too long", async () => {
    const clock = createFakeClock();
    const slow = factsWith(() => new Promise(() => {}), clock);
    await clock.advance(10_000);
    const facts = await slow;
    expect(thrown(() => facts.organizationId())).toMatchObject({ code: "service_unavailable" });
    expect(clock.pending()).toBe(0);
  });
});
