/** Insights of the Nex stand-in: their full shape, the defaults of an emitted one, and the shapes they are sent in. */

export const insightTypes = [
  "opportunity",
  "risk",
  "relationship",
  "preference",
  "milestone",
  "goal",
  "pain_point",
  "commitment",
  "constraint",
  "requirement",
  "activity",
  "characteristic",
  "role_detail",
] as const;

export interface Insight {
  /** Only if the server is told to send ids; a snowflake as a string. */
  id?: string;
  type: string;
  type_description: string;
  content: string;
  confidence: number;
  confidence_level: string;
  valid_from: string;
  valid_until: string | null;
  created_by: string;
  /** RFC 3339; the windows of the REST endpoint refer to it. */
  created_at: string;
  target: {
    type: string;
    type_description: string;
    entity_type: string;
    entity_type_description: string;
    hint: string;
    signals: Record<string, unknown>[];
    anchors: Record<string, unknown>;
    anchors_description: string;
  };
  evidence: Record<string, unknown>[];
}

/** An insight as the server stores it: with the id and the operation, which it may or may not send. */
export interface StoredInsight {
  insight: Insight;
  id: string;
  operationId: bigint;
}

/** How `GET /insights` wraps its array: both public schemas, and one that a lenient client also has to accept. */
export type InsightShape = "insights" | "data" | "bare";

export const workspaceId = "32710180831586560";

const workspace = {
  name: "Sandbox Supply Co.",
  slug: "sandbox-supply",
  business_info: {
    name: "Sandbox Supply Co.",
    domain: "sandbox-supply.example",
    description: "Office and workshop supplies, online and by phone",
  },
  settings: {},
};

/** Fills in what a test or the scripted activity leaves out. */
export function completeInsight(partial: Partial<Insight>, nowMs: number): Insight {
  const now = new Date(nowMs).toISOString();
  const content = partial.content ?? "Budget approval expected next quarter";
  return {
    type: "opportunity",
    type_description: "A potential business opportunity",
    confidence: 0.85,
    confidence_level: "high",
    valid_from: now,
    valid_until: null,
    created_by: "nex",
    created_at: now,
    target: {
      type: "entity",
      type_description: "An entity of the context graph",
      entity_type: "person",
      entity_type_description: "A person",
      hint: "John Smith",
      signals: [
        {
          type: "email",
          type_description: "E-mail address",
          value: "john@acme.example",
          confidence: 0.97,
          observation_count: 4,
          last_observed_at: now,
        },
      ],
      anchors: {},
      anchors_description: "",
    },
    evidence: [
      {
        excerpt: content,
        excerpt_description: "The text that supports the insight",
        artifact: {
          type: "email",
          type_description: "An e-mail",
          occurred_at: now,
          subject: "RE: Proposal",
          content,
          created_by: "john@acme.example",
          created_at: now,
        },
      },
    ],
    ...partial,
    content,
  };
}

/** The enriched batch payload, as JSON text; `withIds` adds what the documented payload does not have. */
export function batchPayload(stored: StoredInsight[], nowMs: number, withIds: boolean): string {
  const fields = [
    `"workspace":${JSON.stringify(workspace)}`,
    `"insights":${JSON.stringify(stored.map((one) => enriched(one, withIds)))}`,
    `"insight_count":${stored.length}`,
    `"emitted_at":${JSON.stringify(new Date(nowMs).toISOString())}`,
  ];
  const operationId = stored[0]?.operationId;
  // By hand: JSON.stringify cannot write an integer above 2^53 exactly, and Nex sends those.
  if (operationId !== undefined) fields.push(`"operation_id":${operationId}`);
  return `{${fields.join(",")}}`;
}

export function restPayload(
  stored: StoredInsight[],
  nowMs: number,
  shape: InsightShape,
  withIds: boolean,
): string {
  switch (shape) {
    case "insights":
      return batchPayload(stored, nowMs, withIds);
    case "bare":
      return JSON.stringify(stored.map((one) => enriched(one, withIds)));
    case "data":
      return JSON.stringify({ data: stored.map(flat) });
    default:
      return shape satisfies never;
  }
}

/** One insight of a replay in the simplified form, without fields that a client cannot rely on there. */
export function replayedInsight(stored: StoredInsight, withIds: boolean): string {
  const { confidence, evidence, created_at, ...simplified } = enriched(stored, withIds);
  return JSON.stringify(simplified);
}

/** The insight as the enriched shape shows it. */
export function enriched(stored: StoredInsight, withIds: boolean): Insight {
  return withIds ? { id: stored.id, ...stored.insight } : stored.insight;
}

function flat({ id, insight }: StoredInsight): Record<string, unknown> {
  const { content, type, created_at, target } = insight;
  const entities = [{ id: "48066188026052700", name: target.hint, type: target.entity_type }];
  return { id, workspace_id: workspaceId, content, type, entities, created_at };
}
