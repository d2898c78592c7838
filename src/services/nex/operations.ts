// What Nex can be asked to do, to its OpenAPI descriptions; its answers are given on as they are. The stream of
// insights is not among it: the job nex-insights holds that.

import { accountOperations } from "./operations-account.ts";
import { attributeOperations } from "./operations-attributes.ts";
import { contextOperations } from "./operations-context.ts";
import { listOperations } from "./operations-lists.ts";
import { objectOperations } from "./operations-objects.ts";
import { recordOperations } from "./operations-records.ts";
import { workOperations } from "./operations-work.ts";

export const nexOperations = [
  ...objectOperations,
  ...attributeOperations,
  ...recordOperations,
  ...listOperations,
  ...workOperations,
  ...contextOperations,
  ...accountOperations,
];
