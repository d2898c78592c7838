// GET /v1/backup: the current database, in one file.

import type { Readable } from "node:stream";
import { z } from "zod";
import { nothing } from "../contract/api/fields.ts";
import type { App } from "./app.ts";
import { problems } from "./problem.ts";
import { operatorOnly } from "./route.ts";
import type { RouteOptions } from "./routes.ts";

const DATABASE_TYPE = "application/vnd.sqlite3";

// The type only describes the answer and never checks it: the body is the file's bytes.
const bytes = z.string().meta({ format: "binary" }) as unknown as z.ZodType<Readable>;

export function backup(app: App, { context: { store }, role }: RouteOptions): void {
  app.get(
    "/v1/backup",
    {
      onRequest: operatorOnly(role),
      schema: {
        operationId: "getBackup",
        summary: "A consistent copy of the database, as an SQLite file (operator.sock)",
        description:
          "It contains every secret that nexusd keeps. `nexusctl backup FILE` checks what it received.",
        tags: ["operation"],
        querystring: nothing,
        response: {
          200: { description: "The file", content: { [DATABASE_TYPE]: { schema: bytes } } },
          ...problems("invalid_request", "operator_only"),
        },
      },
    },
    async (_request, reply) => {
      const { size, stream } = await store.backup();
      return reply.type(DATABASE_TYPE).header("content-length", size).send(stream);
    },
  );
}
