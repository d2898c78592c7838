// [approvals]: who decides which operation.

import { z } from "zod";
import { always, duration } from "../core/settings.ts";
import { SERVICE_NAMES, SERVICES } from "../services/list.ts";

/** `*`, all of a service, all of a noun, or the whole name of an operation. */
const OPERATION_PATTERN = new RegExp(`^(\\*|(${SERVICE_NAMES.join("|")})\\.([\\w-]+\\.)*([\\w-]+|\\*))$`);

const NO_PATTERN = `is not the name of an operation or a pattern: known are "*", "SERVICE.*", "SERVICE.NOUN.*" and "SERVICE.NOUN.VERB", where SERVICE is one of ${SERVICE_NAMES.join(", ")}`;

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
            message: NO_PATTERN,
          });
    }, always)
    .default(Object.fromEntries(SERVICES.map(({ name, approval }) => [`${name}.*`, approval]))),
});

export type ApprovalSettings = z.output<typeof approvalSettings>;
