// Phone calls: listing them, and starting one.

import { z } from "zod";
import { defineOperation } from "./facts.ts";
import { phoneNumber, time } from "./fields.ts";
import { answerOf, callFunction } from "./functions.ts";
import { createKeyset } from "./keyset.ts";
import { pageAs, paging, readPage, where } from "./rows.ts";

const status = z.enum(["answered", "missed", "busy", "failed", "voicemail"]);
const STATUSES = status.options.join(", ");

const NEWEST_CALL_FIRST = createKeyset([
  { column: "call_date", descending: true },
  { column: "id", descending: true },
]);

export const listCalls = defineOperation({
  name: "nexus.call_logs.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List calls",
  description: "Phone calls, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      customerId: z.guid().optional().describe("Only calls with this customer, a UUID"),
      direction: z
        .enum(["inbound", "outbound", "internal"])
        .optional()
        .describe("inbound, outbound or internal"),
      status: status.optional().describe(`Only calls with this outcome: ${STATUSES}`),
      calledFrom: time.optional().describe("Only calls at or after this time"),
      calledTo: time.optional().describe("Only calls before this time"),
      ...paging(NEWEST_CALL_FIRST, "calls"),
    }),
  ),
  request: ({ customerId, direction, status, calledFrom, calledTo, ...page }, facts) =>
    readPage(
      facts,
      "call_logs",
      {
        customer_id: where("eq", customerId),
        direction: where("eq", direction),
        status: where("eq", status),
        call_date: [where("gte", calledFrom), where("lt", calledTo)],
      },
      NEWEST_CALL_FIRST,
      page,
    ),
  output: pageAs("calls", "call_logs", NEWEST_CALL_FIRST),
});

export const initiateCall = defineOperation({
  name: "nexus.calls.initiate",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Start a phone call",
  description: "Makes Nexus call a number. The phone at the other end rings.",
  input: z.lazy(() => z.strictObject({ phoneNumber })),
  request: (input, facts) => callFunction(facts, "call-initiate", { phone_number: input.phoneNumber }),
  output: answerOf,
  target: (input) => `nexus/phones/${input.phoneNumber}`,
  howToFindOut: "Look with nexus.call_logs.list: is there a call to this number at this time?",
});
