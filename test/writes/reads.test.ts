import { describe, expect, it } from "vitest";
import type { Operation } from "../../src/services/operation.ts";
import { createReads } from "../../src/writes/reads.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { limitsOf } from "../support/limits.ts";
import { answers, catalogueOf, factsOf, fails, hangs, OPERATIONS, scriptedService } from "./harness.ts";

const never = new AbortController().signal;

const setUp = (operations: readonly Operation[] = OPERATIONS) => {
  const clock = createFakeClock();
  const service = scriptedService();
  const reads = createReads({
    ...{ clock, sender: service, catalogue: catalogueOf(operations) },
    facts: async () => factsOf(),
    limits: limitsOf,
  });
  return { clock, service, reads };
};

describe("a read", () => {
  it("returns what the operation makes of the answer, with the defaults of its input", async () => {
    const { reads, service, clock } = setUp();
    service.onRead = async () => {
      const slept = clock.sleep(250);
      void clock.advance(250);
      await slept;
      return answers([{ id: 1 }])(service.asked[0] ?? expect.fail(), never);
    };
    expect(await reads.run("nexus.items.list", {}, never, "agent_reads")).toEqual({
      output: [{ id: 1 }],
      service: "nexus",
      durationMs: 250,
      waitedMs: 0,
    });
    expect(service.asked[0]?.path).toBe("/rest/v1/orders?limit=10");
    expect(clock.pending()).toBe(0);
  });

  it("reports its wait for its turn separately from the time of the answer", async () => {
    const clock = createFakeClock();
    const reads = createReads({
      ...{ clock, catalogue: catalogueOf(OPERATIONS), facts: async () => factsOf(), limits: limitsOf },
      sender: {
        async read(_service, request, signal, { priority, onWaited } = {}) {
          expect(priority).toBe("people");
          await clock.sleep(4000);
          onWaited?.(3000);
          onWaited?.(500);
          return answers([])(request, signal);
        },
      },
    });
    const read = reads.run("nexus.items.list", {}, never, "people");
    await clock.advance(4000);
    expect(await read).toMatchObject({ durationMs: 500, waitedMs: 3500 });
  });

  it("refuses writes, unknown operations, and input that the operation does not accept", async () => {
    const { reads, service } = setUp();
    await expect(reads.run("nexus.items.create", { sku: "A" }, never, "agent_reads")).rejects.toMatchObject({
      code: "not_a_read",
    });
    await expect(reads.run("nexus.items", {}, never, "agent_reads")).rejects.toMatchObject({
      code: "operation_not_found",
      message: expect.stringContaining("nexus.items.list"),
    });
    await expect(
      reads.run("nexus.items.list", { limit: "x", more: 1 }, never, "agent_reads"),
    ).rejects.toMatchObject({
      code: "invalid_input",
      errors: [{ path: "limit" }, { path: "more", message: "is not a field here" }],
    });
    expect(service.asked).toEqual([]);
  });

  it("fails as its service fails", async () => {
    const { reads, service } = setUp();
    service.onRead = fails("status", { status: 503 });
    await expect(reads.run("nexus.items.list", {}, never, "agent_reads")).rejects.toMatchObject({
      kind: "status",
      status: 503,
    });
  });

  it("ends at its service's deadline: Nex has two minutes", async () => {
    const { reads, service, clock } = setUp();
    service.onRead = hangs;
    const settled: string[] = [];
    for (const [name, input] of [
      ["nexus.items.list", {}],
      ["nex.context.ask", { question: "?" }],
    ] as const)
      void reads
        .run(name, input, never, "agent_reads")
        .catch(({ kind, service: of }) => settled.push(`${of} ${kind}`));
    await clock.advance(60_000);
    expect(settled).toEqual(["nexus timeout"]);
    await clock.advance(60_000);
    expect(settled).toEqual(["nexus timeout", "nex timeout"]);
  });

  it("ends when its caller goes away, and so does the request to the service", async () => {
    const { reads, service, clock } = setUp();
    let wasCut = false;
    service.onRead = (request, signal) => {
      signal.addEventListener("abort", () => {
        wasCut = true;
      });
      return hangs(request, signal);
    };
    const caller = new AbortController();
    const read = reads.run("nexus.items.list", {}, caller.signal, "agent_reads");
    await clock.settle();
    caller.abort();
    await expect(read).rejects.toMatchObject({ kind: "aborted" });
    expect(wasCut).toBe(true);
    await expect(reads.run("nexus.items.list", {}, caller.signal, "agent_reads")).rejects.toMatchObject({
      kind: "aborted",
    });
  });
});
