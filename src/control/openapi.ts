// Describes the API as OpenAPI 3.1. Loaded on first use: its dependencies are large, and most daemons are never asked.

import swagger from "@fastify/swagger";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { SERVICE_NAMES } from "../services/list.ts";
import { createApp } from "./app.ts";
import { eventSchemas } from "./event-schemas.ts";
import { type RouteOptions, registerRoutes } from "./routes.ts";

/** @returns the document as JSON text, generated from the served routes; the instance never listens */
export async function describeApi(options: RouteOptions): Promise<string> {
  const app = createApp({ ...options, role: "operator" });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "nexusd control API",
        version: options.context.version,
        description:
          "HTTP over two Unix sockets: agent.sock reads, follows and proposes; operator.sock can do that and decide. " +
          "Errors are problem+json with a stable `code`.",
      },
      servers: [{ url: "http://nexusd" }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  registerRoutes(app, { ...options, role: "operator" });
  await app.ready();
  const document = JSON.stringify(withKnown(withoutUnused(app.swagger())));
  await app.close();
  return document;
}

/** Every named schema exists in an input and an output form; those without a reference are dropped. */
function withoutUnused(document: object & { components?: { schemas?: object | undefined } | undefined }) {
  const text = JSON.stringify(document);
  const used = Object.entries(document.components?.schemas ?? {}).filter(([name]) =>
    text.includes(`"#/components/schemas/${name}"`),
  );
  return { ...document, components: { schemas: Object.fromEntries(used) } };
}

function withKnown<D extends { components: { schemas: Record<string, object> } }>(document: D) {
  const { Event: event, ServiceName: service, ...schemas } = document.components.schemas;
  if (!event || !service) throw new Error("no route answers with an event or a service");
  const known = { ServiceName: { ...service, enum: SERVICE_NAMES }, ...eventSchemas({ ...event }) };
  return { ...document, components: { schemas: { ...schemas, ...known } } };
}
