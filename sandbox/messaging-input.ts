/** Validates requests to the NexusMessaging stand-in, and defines the refusals of invalid ones. */

import { type HttpRequest, json, type Reply } from "./http.ts";

export function errorReply(status: number, error: string, message: string, details?: unknown[]): Reply {
  return json(status, details === undefined ? { error, message } : { error, message, details });
}

/** Thrown for an invalid request; answered as it is. */
export class Refusal extends Error {
  readonly reply: Reply;
  constructor(status: number, code: string, message: string, details?: unknown[]) {
    super(code);
    this.reply = errorReply(status, code, message, details);
  }
}

export function agentIdOf(request: HttpRequest): string {
  const agentId = request.header("x-agent-id");
  if (agentId === undefined) throw new Refusal(400, "missing_agent_id", "X-Agent-Id header is required");
  return checkAgentId(agentId, "X-Agent-Id");
}

export function agentIdField(body: Record<string, unknown>): string | undefined {
  const agentId = stringField(body, "creatorAgentId");
  return agentId === undefined ? undefined : checkAgentId(agentId, "creatorAgentId");
}

function checkAgentId(agentId: string, path: string): string {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(agentId)) {
    throw invalid(path, "Letters, digits, hyphens and underscores, at most 128");
  }
  return agentId;
}

/** An empty body counts as `{}`: only a non-empty one has to be JSON. */
export function readBody(request: HttpRequest): Record<string, unknown> {
  let value: unknown;
  try {
    value = request.body === "" ? {} : JSON.parse(request.body);
  } catch {
    throw new Refusal(400, "invalid_body", "Request body is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("", "Expected an object");
  }
  return Object.fromEntries(Object.entries(value));
}

export function stringField(body: Record<string, unknown>, name: string): string | undefined {
  const value = body[name];
  if (value === undefined || typeof value === "string") return value;
  throw invalid(name, "Expected a string");
}

export function integerField(body: Record<string, unknown>, name: string, max: number): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw invalid(name, `Expected an integer from 1 to ${max}`);
}

export function invalid(path: string, message: string): Refusal {
  return new Refusal(400, "invalid_request", "Request validation failed", [{ path, message }]);
}
