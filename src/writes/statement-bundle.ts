// A statement with its stored request, in one file: for a check on another machine, without the daemon and without a
// network.

import { z } from "zod";
import { DECISIONS, type Decision } from "../contract/signing.ts";
import type { Write } from "../contract/writes.ts";
import { digestOf } from "../core/canonical-json.ts";
import { parseJson, stringifyJson } from "../core/exact-json.ts";
import { remake } from "./remake.ts";
import { readStatement, renderStatement, STATEMENT_VERSION } from "./statement.ts";

const FORMAT = "nexusd statement bundle v1";

const bundled = z.object({
  id: z.string(),
  operation: z.string(),
  request: z.string(),
  digest: z.string(),
  preview: z.object({
    method: z.string(),
    url: z.string(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    body: z.string().nullable(),
  }),
  precondition: z.string().nullable(),
  expiresAt: z.string(),
  reason: z.string().nullable(),
  agent: z.string().nullable(),
});

const bundleSchema = z.object({
  format: z.literal(FORMAT),
  epoch: z.string(),
  decision: z.enum(DECISIONS),
  statement: z.string(),
  write: bundled,
});
export type Bundle = z.output<typeof bundleSchema>;

export interface BundleCheck {
  check: "statement" | "digest" | "rendering" | "request";
  /** null: it cannot be determined here, as `detail` says. */
  ok: boolean | null;
  detail: string;
}

/** The file as text. */
export function bundleText(of: {
  write: Write;
  epoch: string;
  decision: Decision;
  statement: string;
}): string {
  const { id, operation, request, digest, preview, precondition, expiresAt, reason, agent } = of.write;
  const { method, url, headers, body } = preview;
  const bundle: Bundle = {
    format: FORMAT,
    ...{ epoch: of.epoch, decision: of.decision, statement: of.statement },
    write: {
      ...{ id, operation, request, digest, precondition, expiresAt, reason, agent },
      preview: { method, url, headers, body },
    },
  };
  return `${stringifyJson(bundle)}\n`;
}

/** undefined: it is no bundle. */
export function readBundle(text: string): Bundle | undefined {
  try {
    return bundleSchema.parse(parseJson(text));
  } catch {
    return undefined;
  }
}

/** Everything that must hold for the statement to be about what the daemon would send. */
export function checkBundle(bundle: Bundle): BundleCheck[] {
  return [statementCheck(bundle), digestCheck(bundle), renderingCheck(bundle), requestCheck(bundle)];
}

function statementCheck({ statement, decision, epoch, write }: Bundle): BundleCheck {
  const check = "statement";
  const head = readStatement(statement);
  if (!head) return wrong(check, "its first lines are not those of a statement of nexusd");
  if (!("decision" in head))
    return wrong(check, `it is of version ${head.version}; this nexusctl knows version ${STATEMENT_VERSION}`);
  const differs = [
    ...(head.decision === decision ? [] : ["the decision"]),
    ...(head.write === write.id ? [] : ["the write"]),
    ...(head.epoch === epoch ? [] : ["the epoch"]),
    ...(head.validUntil === write.expiresAt ? [] : ["the time until which it is valid"]),
  ];
  if (differs.length > 0) return wrong(check, `${differs.join(" and ")} in it is not that of the file`);
  return right(check, `version ${head.version}: ${decision} write ${write.id} until ${write.expiresAt}`);
}

function digestCheck({ statement, write }: Bundle): BundleCheck {
  const check = "digest";
  const digest = digestOf(write.request);
  const head = readStatement(statement);
  const signed = head && "digest" in head ? head.digest : undefined;
  if (signed !== digest)
    return wrong(
      check,
      `the stored request has the SHA-256 ${digest}, which is not the one in the statement`,
    );
  if (write.digest !== digest)
    return wrong(check, "the file gives the write another digest than its request has");
  return right(check, `the stored request has the SHA-256 that the statement names (${digest})`);
}

function renderingCheck({ statement, decision, epoch, write }: Bundle): BundleCheck {
  const check = "rendering";
  const again = renderStatement(write, epoch, decision);
  if (again === statement)
    return right(check, "the statement is what this nexusctl makes of the write, byte for byte");
  const [before, now] = [statement.split("\n"), again.split("\n")];
  const at = now.findIndex((line, index) => line !== before[index]);
  const line = at < 0 ? now.length : at;
  return wrong(
    check,
    `line ${line + 1} is ${JSON.stringify(before[line] ?? "missing")}, and would be ${JSON.stringify(now[line] ?? "none")}`,
  );
}

const requestCheck = ({ write }: Bundle): BundleCheck => ({ check: "request", ...remake(write) });

const right = (check: BundleCheck["check"], detail: string): BundleCheck => ({ check, ok: true, detail });
const wrong = (check: BundleCheck["check"], detail: string): BundleCheck => ({ check, ok: false, detail });
