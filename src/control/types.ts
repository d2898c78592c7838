// The event types that a caller asks for: checks that each can occur.

import { unknownType } from "../contract/event-names.ts";
import { wrongPlaces } from "../core/text/wrong-places.ts";
import type { ControlContext } from "./context.ts";
import { Problem } from "./problem.ts";

/**
 * @param field their name in the request
 * @throws Problem `invalid_request` naming each that matches no type of nexusd, of an own job or in the log
 */
export async function checkTypes(
  { store, ownEventTypes, limits }: Pick<ControlContext, "store" | "ownEventTypes" | "limits">,
  types: readonly string[] | undefined,
  field: "type" | "types",
): Promise<void> {
  if (types === undefined) return;
  const own = [...ownEventTypes(), ...(await store.readEventTypes())];
  const errors = types.flatMap((type, at) => {
    const message = unknownType(type, own);
    return message === undefined ? [] : [{ path: `${field}[${at}]`, message }];
  });
  if (errors.length === 0) return;
  const { places, text } = wrongPlaces(errors, limits().problem_errors);
  throw new Problem("invalid_request", text, { errors: places });
}
