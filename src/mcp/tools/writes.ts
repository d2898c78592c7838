// propose, writes_get: proposing a change, and its outcome.

import { z } from "zod";
import { text } from "../input.ts";
import { defineTool } from "../tool.ts";
import { proposal, proposeAndWait, waitSeconds, writeAfter, writeOutput } from "../writes.ts";

export const propose = defineTool({
  name: "propose",
  title: "Propose a write",
  description:
    "Proposes a write: an operation whose effect is write. It is carried out once a person has approved it, or at once where the policy says so; the answer says which. Give the reason: the person who decides reads it. The same input proposed again within ten minutes is the same write. Never propose again what is `unknown`, and do not ask the user to approve it in the chat: that decides nothing.",
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({ ...proposal.shape, waitSeconds }),
  output: writeOutput,
  run: ({ waitSeconds, ...proposed }, context) => proposeAndWait(context, proposed, waitSeconds),
});

export const writesGet = defineTool({
  name: "writes_get",
  title: "Look at a write",
  description:
    "Says what became of a write that was proposed; with waitSeconds it waits until nothing more happens to it by itself.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({ id: text(100, "The id of the write"), waitSeconds }),
  output: writeOutput,
  run: async ({ id, waitSeconds = 0 }, context) => await writeAfter(context, id, waitSeconds),
});
