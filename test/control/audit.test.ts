// The audit log over the API: row by row as stored, and for operators only.

import { describe, expect, test } from "vitest";
import { startTestControl } from "../support/control.ts";

describe("the audit log", () => {
  const row = (sequence: number, writeId = "w-1") => ({
    ...{ sequence, writeId },
    at: "2026-01-01T00:00:00.000Z",
    action: "shown" as const,
    digest: "d",
    actor: { via: "operator.sock" as const, user: null },
    detail: "{}",
    previousHash: "0",
    hash: "1",
  });

  /** The store, except for its audit log. */
  const withAudit = async () => {
    const control = await startTestControl();
    const asked: unknown[] = [];
    Object.assign(control.store, {
      readAudit: async (query: { after: number; limit: number }) => {
        asked.push(query);
        return query.after === 0 ? [row(1), row(4)] : [];
      },
      verifyAudit: async () => ({
        ok: false,
        rows: 3,
        head: "1",
        pruned: null,
        brokenAt: { sequence: 4, why: "changed" },
        ...{ changed: [{ writeId: "w", why: "changed: the reason" }], changedCount: 1 },
      }),
    });
    return { ...control, asked };
  };

  test("is read in pages, row by row as stored", async () => {
    const { get, asked } = await withAudit();
    expect((await get("/v1/audit?limit=2")).json).toEqual({
      rows: [row(1), row(4)].map((one) => ({
        ...one,
        actor: { ...one.actor, door: "operator.sock", signer: null },
      })),
      next: 4,
    });
    expect((await get("/v1/audit?after=4&writeId=w-1")).json).toEqual({ rows: [], next: 4 });
    expect(asked).toEqual([
      { after: 0, limit: 2 },
      { after: 4, limit: 100, writeId: "w-1" },
    ]);
  });

  test("reports where it is broken", async () => {
    const { get } = await withAudit();
    expect((await get("/v1/audit/verify")).json).toEqual({
      ...{ ok: false, rows: 3, head: "1", pruned: null },
      brokenAt: { sequence: 4, why: "changed" },
      ...{ changed: [{ writeId: "w", why: "changed: the reason" }], changedCount: 1 },
    });
  });

  test.each([
    ["audit?after=-1", "after"],
    ["audit?limit=0", "limit"],
    ["audit?write=w", "write"],
    ["audit/verify?x=1", "x"],
    ["audit/verify?head=12", "head"],
  ])("GET /v1/%s is refused with the path of the error", async (path, field) => {
    const { get } = await startTestControl();
    expect((await get(`/v1/${path}`)).json).toMatchObject({ status: 400, errors: [{ path: field }] });
  });

  test("is not readable over agent.sock, which is decided before anything else", async () => {
    const { get } = await startTestControl();
    for (const path of ["audit", "audit/verify", "audit?after=x"])
      expect((await get(`/v1/${path}`, { role: "agent" })).json).toMatchObject({
        status: 403,
        code: "operator_only",
      });
  });
});
