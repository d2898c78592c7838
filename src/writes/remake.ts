// Makes the request of a stored write anew, with the code that the executor uses, and compares it with what was shown.

import { type AuditRow, isFinal, type PreviewRequest, type Write } from "../contract/writes.ts";
import { parseJson } from "../core/exact-json.ts";
import { catalogue, shownFacts } from "../services/catalogue.ts";
import { storedRequest } from "./input.ts";
import { previewChanges, previewOf, previewOfLocal } from "./preview.ts";
import { signedDifferences } from "./signed-record.ts";

export interface Remade {
  /** null: it cannot be determined here, as `detail` says. */
  ok: boolean | null;
  /** In a sentence, without the final full stop. */
  detail: string;
}

export function remake(
  write: Pick<Write, "operation" | "request" | "precondition"> & { preview: PreviewRequest },
): Remade {
  const wrong = (detail: string): Remade => ({ ok: false, detail });
  let stored: ReturnType<typeof storedRequest>;
  try {
    stored = storedRequest(write.request);
  } catch {
    return wrong("the stored request is no JSON");
  }
  if (stored.operation !== write.operation)
    return wrong("the stored request is one of another operation than the write says");
  const operation = catalogue.get(write.operation);
  if (operation?.effect !== "write")
    return {
      ok: null,
      detail: `${write.operation} is known only to its service: compare the body with the input yourself`,
    };
  try {
    const facts = shownFacts(operation.service, write.preview);
    const learnt = write.precondition === null ? undefined : parseJson(write.precondition);
    const request = operation.request?.(stored.input, facts, learnt);
    const again = request ? previewOf(request) : previewOfLocal(operation.name, stored.input);
    const changes = previewChanges(write.preview, again);
    if (changes.length > 0)
      return wrong(`${changes.join(", ")} is not what ${write.operation} makes of the stored input`);
    return { ok: true, detail: `${write.operation} makes exactly this request of the stored input` };
  } catch (error) {
    return wrong(
      `${write.operation} cannot make this request of the stored input: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/**
 * What of a write is not as its signed decisions say, and, while it can still be sent, not what this version would send;
 * empty: nothing. An ended write may come from a version that made another request: there the chain has to do.
 * @param rows of the audit log, of this write
 */
export function furtherDifferences(write: Write, rows: readonly AuditRow[]): string[] {
  const made = isFinal(write) ? undefined : remake(write);
  return [...signedDifferences(write, rows), ...(made?.ok === false ? [`the preview (${made.detail})`] : [])];
}
