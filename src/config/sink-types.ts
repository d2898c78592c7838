// Patterns of sinks that no event will ever match: found once it is known which types the jobs of one's own have.

import { unknownType } from "../contract/event-names.ts";
import type { Problem } from "./error.ts";
import { formatPath } from "./problems.ts";
import type { Config } from "./schema.ts";

/** @param own the types that jobs of one's own declare */
export const sinkTypeProblems = ({ sinks }: Config, own: readonly string[]): Problem[] =>
  sinks.flatMap((sink, index) =>
    sink.types.flatMap((pattern, at) => {
      const message = unknownType(pattern, own);
      const path = formatPath(["sinks", index, "types", at]);
      return message === undefined ? [] : [{ path, value: JSON.stringify(pattern), message }];
    }),
  );
