// One fastify instance per socket: the limits, and the one place that turns an error into problem+json. Loaded with the
// first request (sides.ts).

import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { stringifyJson } from "../core/exact-json.ts";
import { placesOfIssues } from "../core/text/wrong-places.ts";
import { parseBody } from "./body.ts";
import type { ControlContext, Role } from "./context.ts";
import { asProblem, BODY_LIMIT, LONGEST_PARAMETER } from "./failure.ts";
import { type Gate, takeAnswer } from "./gate.ts";
import { PROBLEM_TYPE, Problem, problemBody } from "./problem.ts";

const DISCARD_WITHIN_MS = 1000;

declare module "fastify" {
  interface FastifyContextConfig {
    /** Takes a while: a search, or a list that may be long. The number of these that run at once is limited. */
    isExpensive?: boolean;
  }
}

export type App = ReturnType<typeof createApp>;

/** An instance without routes. `role` is the role of its socket. */
export function createApp({ context, role, gate }: { context: ControlContext; role: Role; gate: Gate }) {
  const app = fastify<Server>({
    frameworkErrors: (error, request, reply) => {
      void answerError(error, request, reply);
    },
    schemaController: { compilersFactory: compilersFactory(() => gate.limits().problem_errors) },
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    // Requests that arrive on an open connection during shutdown are answered like any other.
    return503OnClosing: false,
  }).withTypeProvider<ZodTypeProvider>();

  // A body is JSON or empty; an empty one counts as none, whatever its content type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => {
      if (body.length === 0) return undefined;
      await gate.turn(request.raw.socket);
      return parseBody(body, gate.limits());
    },
  );

  const routes: { method: string; url: string; pattern: RegExp }[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    const pattern = new RegExp(`^${url.replace(/[.]/g, "\\.").replace(/:\w+/g, "[^/]+")}$`);
    for (const one of [method].flat()) routes.push({ method: one, url, pattern });
  });
  // Before the body is read: a missing route is 404, whatever is sent to it.
  app.addHook("onRequest", async (request) => {
    if (request.is404) throw notFound(request, routes);
  });
  app.addHook("onRequest", async (request, reply) => {
    // Health skips the queue: it is how a client finds out whether the socket answers at all.
    const bytes = bodyLength(request.raw);
    if (bytes > 0) gate.body.take(reply.raw, Math.min(bytes, BODY_LIMIT));
    if (request.routeOptions.url !== "/v1/health") await gate.turn(reply.raw);
  });
  const places = new WeakMap<ServerResponse, () => void>();
  app.addHook("preHandler", async ({ method, routeOptions }, { raw }) => {
    if (method !== "GET" || !routeOptions.config.isExpensive) return;
    const release = await gate.expensive(raw);
    places.set(raw, release);
    raw.once("close", release);
  });
  app.addHook("onSend", async (_request, reply, payload) => {
    // The rest is up to the reader, and other limits cover that.
    places.get(reply.raw)?.();
    if (typeof payload === "string") takeAnswer(gate, reply.raw, payload.length);
    return payload;
  });

  const answerError = async (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = asProblem(error);
    if (problem.status === 413 || problem.status === 429) await discardBody(request.raw);
    // Never the path itself: it can hold a session id.
    const facts = { socket: role, method: request.method, route: request.routeOptions.url };
    // The daemon reports an unusable database once; repeating it for every request would flood the log.
    if (problem.code === "internal_error")
      context.log.error({ ...facts, err: problem.cause }, "a control request failed");
    // If we closed the connection while the client still writes, it would break before the client has read why.
    if (problem.code === "body_too_large") reply.removeHeader("connection");
    return reply
      .code(problem.status)
      .headers(problem.headers)
      .type(PROBLEM_TYPE)
      .send(stringifyJson(problemBody(problem)));
  };
  app.setErrorHandler(answerError);

  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const ms = Math.round(reply.elapsedTime);
    context.log.debug(
      { socket: role, method, route: routeOptions.url, status: reply.statusCode, ms },
      "request",
    );
  });
  return app;
}

/** Reads what is still arriving, for a while: closing earlier would break the connection with the answer unread. */
async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  request.resume();
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), DISCARD_WITHIN_MS);
  await once(request, "close", { signal: patience.signal }).catch(() => {});
  clearTimeout(timer);
}

/** The announced size of a body; without one, the limit is assumed. */
function bodyLength({ headers }: IncomingMessage): number {
  if (headers["transfer-encoding"] !== undefined) return BODY_LIMIT;
  return Number(headers["content-length"] ?? 0);
}

/** Validates one part of a request and reports all its problems at once, at most `mostErrors`. */
const checkPart =
  (mostErrors: () => number) =>
  ({ schema, httpPart }: { schema: z.ZodType; httpPart?: string }) =>
  (data: unknown) => {
    const result = schema.safeParse(data);
    if (result.success) return { value: result.data };
    const what = httpPart === "querystring" ? "is not a query parameter here" : "is not a field here";
    const { places, text } = placesOfIssues(result.error.issues, mostErrors(), {
      unknownField: what,
      of: ({ path, message }) => ({
        path: z.core.toDotPath(path) || (httpPart ?? ""),
        message: data === null ? "is missing" : message,
      }),
    });
    return { error: new Problem("invalid_request", text, { errors: places }) };
  };

// Passed as factories, so that fastify does not load its own compilers, a tenth of the idle daemon's memory.
const compilersFactory = (mostErrors: () => number) =>
  ({
    buildValidator: () => checkPart(mostErrors),
    buildSerializer: () => () => stringifyJson,
  }) as object; // its types are those of fastify's own compilers, which take JSON Schema only

function notFound(request: FastifyRequest, routes: { method: string; pattern: RegExp }[]): Problem {
  const path = request.url.split("?", 1)[0] ?? "";
  const allowed = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
  if (allowed.length === 0)
    return new Problem("not_found", "There is nothing at this path. GET /openapi.json lists the paths.");
  const allow = [...new Set(allowed)].join(", ");
  return new Problem("method_not_allowed", `This path accepts ${allow}.`, { headers: { allow } });
}
