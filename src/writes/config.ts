// [approvals]: who decides which operation.

import { z } from "zod";
import { SERVICES } from "../contract/new-event.ts";
import { always, duration } from "../core/settings.ts";

/** `*`, `nexus.*`, `nexus.orders.*`, or the whole name of an operation. */
const OPERATION_PATTERN = new RegExp(`^(\\*|(${SERVICES.join("|")})\\.([\\w-]+\\.)*([\\w-]+|\\*))$`);

export const approvalSettings = z.strictObject({
  ttl: duration("24h", "1m", "30d"),
  policy: z
    .record(
      z.string(),
      z.enum(["operator", "auto", "deny"], { error: 'must be "operator", "auto" or "deny"' }),
    )
    .superRefine((policy, context) => {
      for (const [pattern, approval] of Object.entries(policy))
        if (!OPERATION_PATTERN.test(pattern))
          context.addIssue({
            code: "custom",
            path: [pattern],
            input: approval,
            message:
              'is not the name of an operation or a pattern: known are "*", "nexus.*", "nexus.orders.*" and "nexus.orders.update_status", each of messaging, nex or nexus',
          });
    }, always)
    .default({ "nexus.*": "operator", "nex.*": "operator", "messaging.*": "auto" }),
});

export type ApprovalSettings = z.output<typeof approvalSettings>;
