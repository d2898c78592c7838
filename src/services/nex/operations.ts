// The operations of Nex, by its OpenAPI descriptions; its answers are passed on unchanged. The insight stream is not
// among them: the job nex-insights holds it.

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
