// Operations on servers: health and statistics.

import { z } from "zod";
import { fieldsOf } from "../../input.ts";
import { defineOperation } from "../facts.ts";
import { openRequest, server } from "./common.ts";

const of = (name: string, title: string, description: string, path: string) =>
  defineOperation({
    name,
    service: "messaging",
    effect: "read",
    idempotent: true,
    title,
    description,
    input: z.lazy(() => z.strictObject({ server })),
    request: (input, facts) => openRequest("GET", facts.server(input.server), path, path),
    output: ({ body }) => fieldsOf(body),
  });

export const serverOperations = [
  of(
    "messaging.servers.get_health",
    "Show the health of a server",
    "Its version, its uptime in seconds, and the kinds of messages that it supports.",
    "/health",
  ),
  of(
    "messaging.servers.get_stats",
    "Show the statistics of a server",
    "How many sessions, agents and messages it has.",
    "/v1/stats",
  ),
] as const;
