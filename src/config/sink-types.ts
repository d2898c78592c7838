// Patterns of sinks that can never match an event: checked once the event types of own jobs are known.

import { unknownType } from "../contract/event-names.ts";
import type { Problem } from "./error.ts";
import { formatPath } from "./problems.ts";
import type { Config } from "./schema.ts";

/** @param own the types that own jobs declare */
export const sinkTypeProblems = ({ sinks }: Config, own: readonly string[]): Problem[] =>
  sinks.flatMap((sink, index) =>
    sink.types.flatMap((pattern, at) => {
      const message = unknownType(pattern, own);
      const path = formatPath(["sinks", index, "types", at]);
      return message === undefined ? [] : [{ path, value: JSON.stringify(pattern), message }];
    }),
  );
