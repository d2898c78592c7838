// The body of every refusal and failure: RFC 9457, with a stable `code`. The codes are in problem-codes.ts.

import { z } from "zod";

/** `path` is the field in code notation: "limit", "types[0]". */
const fieldError = z.object({
  path: z.string(),
  message: z.string(),
  file: z.string().optional().describe("The file with the error"),
  line: z.int().optional().describe("The line of that file, counted from 1, if known"),
});

/** Members of some problems besides the common ones (RFC 9457, section 3.2). */
const extensions = {
  errors: z.array(fieldError).optional(),
  decision: z
    .object({
      state: z.string(),
      at: z.string().nullable(),
      via: z.string().nullable(),
      note: z.string().nullable(),
      door: z.string().optional().describe("By what right: operator.sock, signature, policy"),
      signer: z.string().nullable().optional(),
    })
    .optional()
    .describe("What was decided, when, in which way, and the operator's words"),
  rejection: z
    .object({ writeId: z.string(), at: z.string().nullable(), reason: z.string().nullable() })
    .optional()
    .describe("The earlier rejection"),
  writeId: z.string().optional().describe("The write that the error is about"),
  state: z.string().optional().describe("The state of that write"),
  service: z.string().optional(),
  serviceCode: z.string().optional().describe("The service's own code, or `http_<status>`"),
  serviceStatus: z.int().optional().describe("The HTTP status of the service's answer"),
};

export type Extensions = z.output<z.ZodObject<typeof extensions>>;

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    ...extensions,
  })
  .meta({ id: "Problem", description: "RFC 9457; `code` is stable" });

export type ProblemBody = z.output<typeof problemSchema>;
