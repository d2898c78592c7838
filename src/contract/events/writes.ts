// The steps of a write.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure } from "./fields.ts";

export const writeStep = z.object({
  writeId: z.string().describe("the write itself, its preview and its result are at `GET /v1/writes/{id}`"),
  operation: z.string(),
  state: z.string().describe("the state that this step led to"),
  digest: z.string().describe("SHA-256 of the request, 64 hexadecimal digits"),
  agent: z.string().nullable().describe("the name that the proposing agent gave itself; unverified"),
  reason: z.string().nullable().describe("the agent's reason for the proposal"),
  note: z
    .string()
    .nullable()
    .describe("the operator's words: the reason of a rejection, the note of an approval or resolution"),
  error: z.object(failure).nullable(),
  actor: z
    .object({
      door: z
        .string()
        .describe("by what right: operator.sock, signature, policy, agent.sock, or nexusd itself"),
      user: z.string().nullable().describe("the operating system's user, where it is known"),
      signer: z.string().nullable().describe("whose signature it was"),
    })
    .exactOptional()
    .describe("who did it, never by a self-chosen name; left out in events of older versions"),
});

type State =
  | "proposed"
  | "approved"
  | "rejected"
  | "expired"
  | "cancelled"
  | "executing"
  | "succeeded"
  | "failed"
  | "unknown"
  | "resolved";

const step = (state: State, when: string, told: Partial<z.input<typeof writeStep>> = {}) =>
  declareEvent({
    when,
    subject: null,
    data: writeStep,
    example: {
      writeId: "01M7XZT09MNS1PP9GFZDJDF428",
      operation: "nexus.orders.update_status",
      state,
      digest: "9f2c…",
      agent: "bookkeeper",
      reason: "paid by transfer",
      note: null,
      error: null,
      actor: { door: "nexusd", user: null, signer: null },
      ...told,
    },
  });

export const writeEvents = {
  "write.proposed": step("proposed", "An agent proposed a write; a person decides, unless the policy does.", {
    actor: { door: "agent.sock", user: null, signer: null },
  }),
  "write.signed": step("proposed", "One of several required signers approved a write.", {
    actor: { door: "signature", user: null, signer: "alice" },
  }),
  "write.approved": step("approved", "A write may be executed.", {
    actor: { door: "operator.sock", user: "alice", signer: null },
  }),
  "write.rejected": step("rejected", "A person rejected a write.", {
    note: "the order was cancelled by phone",
    actor: { door: "operator.sock", user: "alice", signer: null },
  }),
  "write.expired": step("expired", "A write was not decided in time."),
  "write.cancelled": step("cancelled", "A write was withdrawn before it was sent.", {
    actor: { door: "agent.sock", user: null, signer: null },
  }),
  "write.executing": step("executing", "A write is about to be sent."),
  "write.succeeded": step("succeeded", "The service confirmed that a write was done."),
  "write.failed": step("failed", "A write was not done.", {
    error: { code: "precondition_failed", message: "the order is no longer pending" },
  }),
  "write.unknown": step("unknown", "Whether a write was done is unknown; it is not sent again.", {
    error: { code: "timeout", message: "no answer within 120 s" },
  }),
  "write.resolved": step("resolved", "A person found out the outcome of a write whose outcome was unknown.", {
    note: "the order shows the new status",
    actor: { door: "operator.sock", user: "alice", signer: null },
  }),
};
