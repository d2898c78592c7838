// The writes of Nexus that act through its functions, and the creation of an order.

import { describe, expect, test } from "vitest";
import { catalogue } from "../../../src/services/catalogue.ts";
import { refusal, useNexus } from "./nexus-bench.ts";

const nexus = useNexus();
const run = (name: string, input: object = {}) => nexus.bench.run(name, input);

const ID = (end: string) => `0a000000-0000-4000-8000-000000000${end}`;
const AHMED = ID("401");
const ORDER = ID("503");

test("no Nexus write is ever sent again when in doubt", () => {
  for (const { name, service, effect, idempotent } of catalogue.all())
    if (service === "nexus" && effect === "write") expect(idempotent, name).toBe(false);
});

describe("an order", () => {
  const name = "nexus.orders.create";
  const input = { customerId: AHMED, totalAmount: 450, currency: "EGP", orderNumber: "NX-9001" };

  test("is created for the customer shown in the proposal", async () => {
    expect(await nexus.bench.precondition(name, input)).toEqual({ firstName: "Ahmed", lastName: "Hassan" });
    expect(nexus.bench.request(name, input).json).toEqual({
      organization_id: nexus.server.organizationId,
      customer_id: AHMED,
      order_status: "pending",
      total_amount: 450,
      currency: "EGP",
      order_number: "NX-9001",
    });
    expect(await run(name, input)).toMatchObject({ order: { order_number: "NX-9001", total_amount: 450 } });
    const nobody = { ...input, customerId: "0b000000-0000-4000-8000-000000000401" };
    expect(await refusal(run(name, nobody))).toMatchObject({ code: "no_row_matched" });
  });

  test("whose answer was lost is found by its number", async () => {
    const lost = { ...input, orderNumber: "NX-9002" };
    expect(await nexus.bench.readBack(name, lost, Date.now() - 1000)).toEqual({ kind: "not_found" });
    nexus.server.addFault({ kind: "drop", match: "POST", afterHandling: true });
    const startedAt = Date.now() - 1000;
    expect(await refusal(run(name, lost))).toMatchObject({ maybeSent: true });
    expect(await nexus.bench.readBack(name, lost, startedAt)).toMatchObject({
      kind: "done",
      output: { order: { order_number: "NX-9002" } },
    });
    // Without a number another order of the same customer could be mistaken for it.
    const { orderNumber: _, ...unnumbered } = lost;
    expect(await nexus.bench.readBack(name, unnumbered, Date.now() + 60_000)).toEqual({
      kind: "cannot_tell",
    });
  });
});

describe("messages", () => {
  test.each([
    ["nexus.instagram.send_message", "instagram-send-message", ID("702")],
    ["nexus.whatsapp.send_message", "whatsapp-send-message", ID("701")],
  ])("%s reaches a chat of its platform, once", async (name, action, chatId) => {
    const input = { chatId, message: "Hello 👋" };
    expect(await run(name, input)).toMatchObject({ success: true });
    expect(await nexus.actions(action)).toEqual([{ ...input, organizationId: nexus.server.organizationId }]);
    for (const other of ["whatsapp", "facebook", "instagram"].filter((one) => !name.includes(one)))
      expect(await refusal(run(`nexus.${other}.send_message`, input))).toMatchObject({ code: "refused" });
  });

  test("a template is sent with its values unchanged", async () => {
    const components = [{ type: "body", parameters: [{ type: "text", text: "NX-1" }] }];
    const input = { phoneNumber: "+201005550101", templateName: "order_shipped", language: "ar", components };
    expect(await run("nexus.whatsapp.send_template", input)).toMatchObject({ success: true });
    expect(await nexus.actions("whatsapp-send-template")).toEqual([
      { phone_number: "+201005550101", template_name: "order_shipped", language: "ar", components },
    ]);
  });
});

describe("a Bosta shipment", () => {
  const name = "nexus.awbs.create_bosta";
  const input = { orderId: ORDER, pickupDate: "2026-12-01" };

  test("is created for an order without one", async () => {
    expect(await nexus.bench.precondition(name, input)).toEqual({
      orderNumber: "NX-1003",
      orderStatus: "confirmed",
    });
    const startedAt = Date.now() - 1000;
    expect(await nexus.bench.readBack(name, input, startedAt)).toEqual({ kind: "cannot_tell" });
    expect(await run(name, input)).toMatchObject({ success: true });
    expect(await nexus.bench.readBack(name, input, startedAt)).toMatchObject({
      kind: "done",
      output: { awb: { order_id: ORDER, courier_name: "Bosta" } },
    });
    expect(await refusal(run(name, input))).toMatchObject({ code: "refused" });
    expect(await nexus.actions("create-awb-bosta")).toEqual([{ order_id: ORDER, pickup_date: "2026-12-01" }]);
  });
});

test("a call is started", async () => {
  expect(await run("nexus.calls.initiate", { phoneNumber: "+201005550101" })).toMatchObject({
    success: true,
  });
  expect(await nexus.actions("call-initiate")).toEqual([{ phone_number: "+201005550101" }]);
});

test("an invitation is sent, sent again and withdrawn; a refusal inside a 200 is a failure", async () => {
  const sent = await run("nexus.invites.create", { email: "new@example.com", role: "member" });
  const { id: inviteId } = (sent as { invite: { id: string } }).invite;
  expect(await run("nexus.invites.list")).toMatchObject({ invites: [{ email: "new@example.com" }] });
  expect(await run("nexus.invites.resend", { inviteId })).toMatchObject({ invite: { sent: 2 } });
  expect(await run("nexus.invites.cancel", { inviteId })).toMatchObject({ invite: { status: "cancelled" } });
  expect(await refusal(run("nexus.invites.resend", { inviteId }))).toMatchObject({
    name: "OperationError",
    code: "refused",
    message: "Nexus answered that it was not done: The invite is cancelled",
  });
});
