/** The AI part of the Nex stand-in: questions, texts that it processes for a while, lists, and maintenance. */

import { randomUUID } from "node:crypto";
import { workspaceId } from "./nex-insights.ts";
import {
  Answer,
  found,
  integer,
  limited,
  nameOf,
  oneOf,
  picked,
  Refusal,
  type Route,
  required,
  type Workspace,
} from "./nex-workspace.ts";

export interface ContextOptions {
  /** How long processing a text or a list takes, by the sandbox's clock; 3,000 by default. */
  processingMs?: number;
  /** One of the public shapes: that of the OpenAPI description (default), or of the skill's examples. */
  contextShape?: "openapi" | "skill";
  /** How many texts per minute are accepted; 10 by default. */
  textsPerMinute?: number;
}

interface Work {
  id: string;
  startedAt: number;
  processingMs: number;
  error: string | undefined;
  /** Set when it is done. */
  result?: Record<string, unknown>;
}

interface Artifact extends Work {
  operationId: string;
  content: string;
}

interface Job extends Work {
  body: Record<string, unknown>;
}

/** A bare JSON number, digit by digit. */
const bare = (digits: string) => JSON.rawJSON(digits);

export function contextRoutes(workspace: Workspace, options: ContextOptions) {
  const { clock } = workspace;
  const isSkill = options.contextShape === "skill";
  const artifacts = new Map<string, Artifact>();
  const jobs = new Map<string, Job>();
  const upkeep = new Map<string, Job>();
  const takeText = limited(clock, options.textsPerMinute ?? 10);
  let processing: { ms?: number; error?: string } = {};

  const begin = (id: string): Work => ({
    ...{ id, startedAt: clock.now(), processingMs: processing.ms ?? options.processingMs ?? 3000 },
    error: processing.error,
  });
  const statusOf = ({ startedAt, processingMs, error }: Work) => {
    const passed = clock.now() - startedAt;
    if (passed >= processingMs) return error === undefined ? "completed" : "failed";
    return passed * 3 >= processingMs ? "processing" : "pending";
  };
  const time = (ms: number) => new Date(ms).toISOString();

  /** Two capitalized words are taken for a person. */
  const learn = ({ content }: Artifact): Record<string, unknown> => {
    const person = workspace.object("person");
    const names = new Set(content.match(/\p{Lu}\p{Ll}+ \p{Lu}\p{Ll}+/gu) ?? []);
    const entities = [...names].map((name) => {
      const known = [...workspace.records.values()].find(
        (one) => one.object_id === person.id && nameOf(one.attributes) === name,
      );
      return { name, isNew: known === undefined, record: known ?? workspace.create(person, { name }) };
    });
    const entities_created = entities.filter(({ isNew }) => isNew).length;
    const counts = { entities_created, entities_updated: entities.length - entities_created };
    if (isSkill)
      return {
        entities_extracted: entities.map(({ name, isNew }) => ({
          ...{ name, type: "PERSON", action: isNew ? "created" : "updated" },
        })),
        ...counts,
        ...{ relationships: 0, insights: [], tasks: [] },
      };
    return {
      entities_extracted: entities.map(({ name, isNew, record }) => ({
        ...{ type: "PERSON", context_id: bare(workspace.nextId()), canonical_entity_id: bare(record.id) },
        ...{ properties: { name }, is_new: isNew },
      })),
      ...counts,
      ...{ relationships_created: 0, insights_created: 0, tasks_suggested: 0 },
    };
  };

  const list = ({ body }: Job, withAttributes: boolean): Record<string, unknown> => {
    const limit = integer(body.limit, "limit", 50, 1, 100);
    const wanted = body.object_type === "company" ? "company" : "person";
    const entities = workspace
      .about(String(body.query))
      .filter(({ type }) => type === wanted)
      .slice(0, limit)
      .map(({ id, attributes }) => ({
        ...{ id, name: nameOf(attributes), type: body.object_type ?? "contact" },
        ...{ reason: "Has to do with the query", highlights: [] },
        ...(withAttributes && { attributes }),
      }));
    return { count: entities.length, query_interpretation: `Records about: ${body.query}`, entities };
  };

  const routes: Route[] = [
    [
      "POST /v1/context/ask",
      "record.read",
      ({ body }) => {
        const considered = workspace.about(required(body(), "query"));
        return {
          answer: `Nex knows ${considered.length} records that have to do with this.`,
          entities_considered: considered.map((record) => ({
            // A bare integer here, unlike in the record itself.
            ...{ id: bare(record.id), name: nameOf(record.attributes), type: record.type.toUpperCase() },
            ...{ reason: "Named in the question", insights_matched: 0, score: 0.9 },
          })),
          signals_used: [],
          metadata: {
            query_type: considered.length > 0 ? "entity_specific" : "workspace_wide",
            total_entities_searched: workspace.records.size,
            confidence: 0.8,
          },
        };
      },
    ],
    [
      "POST /v1/context/text",
      "record.write",
      ({ body }) => {
        const content = required(body(), "content");
        takeText();
        const id = workspace.nextId();
        artifacts.set(id, { ...begin(id), operationId: workspace.nextId(), content });
        return { artifact_id: isSkill ? id : bare(id) };
      },
    ],
    [
      "GET /v1/context/artifacts/{artifact_id}",
      "record.read",
      ({ path }) => {
        if (!/^\d+$/.test(path.artifact_id ?? "")) throw new Refusal(400, "Invalid artifact ID");
        const one = found(artifacts.get(path.artifact_id ?? ""), "Artifact not found");
        const status = statusOf(one);
        if (status === "completed") one.result ??= learn(one);
        const isDone = status === "completed" || status === "failed";
        return {
          ...{ operation_id: bare(one.operationId), status },
          ...(one.result && { result: one.result }),
          ...(status === "failed" && { error: one.error }),
          created_at: time(one.startedAt),
          ...(isDone && { completed_at: time(one.startedAt + one.processingMs) }),
        };
      },
    ],
    [
      "POST /v1/context/list/jobs",
      "list.member.write",
      ({ body }) => {
        required(body(), "query");
        integer(body().limit, "limit", 50, 1, 100);
        const id = workspace.nextId();
        jobs.set(id, { ...begin(id), body: body() });
        const begun = { job_id: id, status: "pending" };
        return isSkill ? begun : { message: begun };
      },
    ],
    [
      "GET /v1/context/list/jobs/{job_id}",
      "list.member.read",
      ({ path, query }) => {
        const job = found(jobs.get(path.job_id ?? ""), "Job not found");
        const status = statusOf(job);
        const withAttributes = query.get("include_attributes") === "true";
        const shown = {
          ...{ job_id: job.id, status, created_at: time(job.startedAt) },
          ...(status === "completed" ? list(job, withAttributes) : { count: 0, entities: [] }),
          ...(status === "failed" && { error: job.error }),
        };
        return isSkill ? shown : { message: shown };
      },
    ],
    [
      "POST /v1/compounding/trigger",
      "record.write",
      ({ body }) => {
        const kinds = ["consolidation", "pattern_detection", "playbook_synthesis", "decay_sweep", "metrics"];
        const job_type = oneOf(body().job_type, "job_type", kinds);
        const id = randomUUID();
        const job = { ...begin(id), body: { job_type, dry_run: body().dry_run === true } };
        upkeep.set(id, job);
        const about = { job_run_id: id, workspace_id: bare(workspaceId), ...job.body };
        return new Answer(202, { ...about, status: "accepted", success: true });
      },
    ],
    [
      "GET /v1/compounding/jobs/{job_run_id}",
      "record.read",
      ({ path }) => {
        const job = found(upkeep.get(path.job_run_id ?? ""), "Job not found");
        const status = statusOf(job);
        const isDone = status === "completed" || status === "failed";
        return {
          ...{
            job_run_id: job.id,
            workspace_id: bare(workspaceId),
            ...picked(job.body, ["job_type", "dry_run"]),
          },
          status: { pending: "accepted", processing: "running", completed: "completed", failed: "failed" }[
            status
          ],
          ...{ insights_scanned: 12, insights_affected: 0, candidates_created: 0 },
          ...{ errors: status === "failed" ? 1 : 0, started_at: time(job.startedAt) },
          ...(isDone && {
            completed_at: time(job.startedAt + job.processingMs),
            duration_ms: job.processingMs,
          }),
          ...(status === "failed" && { error_details: { message: job.error } }),
        };
      },
    ],
  ];
  return {
    routes,
    setProcessing(next: { ms?: number; error?: string }) {
      processing = next;
    },
    state: () => ({
      artifacts: [...artifacts.values()].map((one) => ({ id: one.id, status: statusOf(one) })),
      listJobs: [...jobs.values()].map((one) => ({ id: one.id, status: statusOf(one) })),
    }),
  };
}
