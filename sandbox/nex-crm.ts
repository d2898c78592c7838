/** The CRM of the Nex stand-in, in memory: routes requests according to the vendor's OpenAPI description. */

import type { SandboxClock } from "./clock.ts";
import { type HttpRequest, json, type Reply } from "./http.ts";
import { accountRoutes, type Notification } from "./nex-account.ts";
import { type ContextOptions, contextRoutes } from "./nex-context.ts";
import { listRoutes } from "./nex-lists.ts";
import { recordRoutes } from "./nex-records.ts";
import { schemaRoutes } from "./nex-schema.ts";
import { workRoutes } from "./nex-work.ts";
import { Answer, fields, type NexRecord, openWorkspace, Refusal } from "./nex-workspace.ts";

export interface CrmOptions extends ContextOptions {
  /** Which notifications the feed returns if there are more than `limit`; the newest by default. */
  feedOrder?: "newest" | "oldest";
}

export interface Crm {
  /** Every scope that a route requires. */
  scopes: string[];
  /** Answers a request for `path`, the part after `/api/developers`; undefined for an unknown route. */
  handle(request: HttpRequest, path: string, scopes: string[]): Reply | undefined;
  notify(notifications: Partial<Notification>[]): Notification[];
  /** Simulates a person's consent to the connection. */
  agree(connectId: string): void;
  /** Sets how long texts and lists take from now on, and what they fail with. */
  setProcessing(processing: { ms?: number; error?: string }): void;
  state(): Record<string, unknown> & { records: NexRecord[] };
}

export function openCrm(clock: SandboxClock, options: CrmOptions = {}): Crm {
  const workspace = openWorkspace(clock);
  const work = workRoutes(workspace);
  const context = contextRoutes(workspace, options);
  const account = accountRoutes(workspace, options.feedOrder ?? "newest");
  const routes = [
    ...schemaRoutes(workspace),
    ...recordRoutes(workspace),
    ...listRoutes(workspace),
    ...work.routes,
    ...context.routes,
    ...account.routes,
  ].map(([call, scope, answer]) => {
    const [method, template = ""] = call.split(" ");
    return { method, segments: template.split("/"), scope, answer };
  });

  return {
    scopes: [...new Set(routes.map(({ scope }) => scope))],
    handle(request, path, scopes) {
      const asked = path.replace(/\/$/, "").split("/");
      for (const { method, segments, scope, answer } of routes) {
        const named = method === request.method ? match(segments, asked) : undefined;
        if (named === undefined) continue;
        if (!scopes.includes(scope)) return refused(new Refusal(403, `API key is missing scope ${scope}`));
        try {
          const query = request.url.searchParams;
          return reply(answer({ request, path: named, query, body: () => body(request) }));
        } catch (thrown) {
          if (thrown instanceof Refusal) return refused(thrown);
          throw thrown;
        }
      }
      return undefined;
    },
    notify: account.notify,
    agree: account.agree,
    setProcessing: context.setProcessing,
    state: () => ({
      records: [...workspace.records.values()],
      ...work.state(),
      ...context.state(),
    }),
  };
}

function match(template: string[], asked: string[]): Record<string, string> | undefined {
  if (template.length !== asked.length) return undefined;
  const named: Record<string, string> = {};
  for (const [index, segment] of template.entries()) {
    const given = decodeURIComponent(asked[index] ?? "");
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined && segment !== given) return undefined;
    if (name !== undefined) named[name] = given;
  }
  return named;
}

function reply(answer: unknown): Reply {
  // A deletion is answered with 200 and no body.
  if (answer === undefined) return { status: 200, body: "" };
  if (!(answer instanceof Answer)) return json(200, answer);
  const { status, value, contentType } = answer;
  const text = contentType === "application/json" ? JSON.stringify(value) : String(value);
  return { status, headers: { "content-type": contentType }, body: text };
}

const refused = ({ status, message, headers }: Refusal): Reply =>
  json(status, { code: status, message }, headers);

/** The body's fields. Integers that do not fit a double keep their digits, and are printed again unchanged. */
function body(request: HttpRequest): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(request.body, (_key, part, { source = "" }) =>
      typeof part === "number" && !Number.isSafeInteger(part) && /^-?\d+$/.test(source)
        ? JSON.rawJSON(source)
        : part,
    );
  } catch {
    throw new Refusal(400, "Request body is not valid JSON");
  }
  return fields(value, "the body");
}
