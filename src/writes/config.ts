// [approvals]: who decides which operation.

import { z } from "zod";
import { always, duration, filePath } from "../core/settings.ts";
import { SERVICE_NAMES, SERVICES } from "../services/list.ts";
import { SIGNER_NAME, SIGNER_NAME_ERROR } from "../signatures/signers-file.ts";

const MOST_SIGNERS = 32;

/** `*`, all of a service, all of a noun, or the whole name of an operation. */
const OPERATION_PATTERN = new RegExp(`^(\\*|(${SERVICE_NAMES.join("|")})\\.([\\w-]+\\.)*([\\w-]+|\\*))$`);

const NO_PATTERN = `is not the name of an operation or a pattern: known are "*", "SERVICE.*", "SERVICE.NOUN.*" and "SERVICE.NOUN.VERB", where SERVICE is one of ${SERVICE_NAMES.join(", ")}`;

const RULE_ERROR =
  'must be "operator", "auto", "deny", "signed", or { by = "signed", signers = ["NAME", …], quorum = N }';
const quorumError = `must be an integer from 1 to ${MOST_SIGNERS}`;
const listError = `must be a list of 1 to ${MOST_SIGNERS} names of the file of signers`;

const signedRule = z
  .strictObject({
    by: z.literal("signed", { error: 'must be "signed"' }),
    signers: z
      .array(z.string({ error: SIGNER_NAME_ERROR }).regex(SIGNER_NAME, { error: SIGNER_NAME_ERROR }), {
        error: listError,
      })
      .min(1, { error: listError })
      .max(MOST_SIGNERS, { error: listError })
      .optional(),
    quorum: z
      .int({ error: quorumError })
      .min(1, { error: quorumError })
      .max(MOST_SIGNERS, { error: quorumError })
      .default(1),
  })
  .superRefine(({ signers, quorum }, context) => {
    if (signers === undefined) return;
    const twice = signers.find((name, at) => signers.indexOf(name) !== at);
    if (twice !== undefined)
      context.addIssue({
        code: "custom",
        path: ["signers"],
        input: signers,
        message: `names ${twice} twice`,
      });
    if (quorum > new Set(signers).size)
      context.addIssue({
        code: "custom",
        path: ["quorum"],
        input: quorum,
        message: `needs more signatures than there are signers (${new Set(signers).size}): nothing could be approved`,
      });
  });

const word = z.enum(["operator", "auto", "deny", "signed"]);

/** What a pattern of `[approvals.policy]` says. */
const rule = z.union([word, signedRule], { error: RULE_ERROR });

/** Who decides: a word, or the required signers. */
export type PolicyRule = z.output<typeof rule>;

/** Whether it accepts signatures. */
const isSigned = (rule: PolicyRule) => rule === "signed" || typeof rule === "object";

export const approvalSettings = z
  .strictObject({
    ttl: duration("24h", "1m", "30d"),
    signers: filePath.optional(),
    policy: z
      .record(z.string(), rule)
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
  })
  .superRefine(({ policy, signers }, context) => {
    if (signers !== undefined) return;
    for (const [pattern, approval] of Object.entries(policy))
      if (isSigned(approval))
        context.addIssue({
          code: "custom",
          path: ["policy", pattern],
          input: approval,
          message: "wants signatures, and approvals.signers names no file of those who may sign",
        });
  });

export type ApprovalSettings = z.output<typeof approvalSettings>;
