// The tools that the MCP server lists: which of them are reads, and what is stored of each. All of it is untrusted
// text, with limits.

import { z } from "zod";
import { canonicalRecord, digestOf } from "../../../core/canonical-json.ts";
import { stringifyJson } from "../../../core/exact-json.ts";
import { fieldsOf } from "../../input.ts";
import { isReadable } from "./input-schema.ts";

/** The read-only ones of the 41 tools that the vendor publishes. Any other tool counts as a write. */
export const PUBLISHED_READS: ReadonlySet<string> = new Set([
  "nexus_list_contacts",
  "nexus_get_contact",
  "nexus_list_orders",
  "nexus_get_order",
  "nexus_list_inventory",
  "nexus_check_stock",
  "nexus_list_conversations",
  "nexus_search",
  "nexus_list_social_posts",
  "nexus_get_social_post",
  "nexus_list_social_accounts",
  "nexus_get_social_analytics",
  "nexus_get_content_calendar",
  "nexus_list_organization_invites",
  "nexus_list_internal_conversations",
  "nexus_get_internal_messages",
  "nexus_list_ai_tag_definitions",
  "nexus_list_message_annotations",
  "nexus_get_message_ai_annotation",
  "nexus_get_org_ai_annotation_settings",
  "nexus_get_customer_conversation_intelligence",
  "nexus_get_conversation_intelligence_dashboard",
]);

/** The others of the 41, known to write. nexus_sync_social_posts fetches from the platforms and stores what it finds. */
export const PUBLISHED_WRITES: ReadonlySet<string> = new Set([
  "nexus_create_contact",
  "nexus_update_contact",
  "nexus_create_order",
  "nexus_update_order_status",
  "nexus_send_message",
  "nexus_sync_social_posts",
  "nexus_create_social_post",
  "nexus_update_social_post",
  "nexus_publish_social_post",
  "nexus_delete_social_post",
  "nexus_invite_organization_member",
  "nexus_cancel_organization_invite",
  "nexus_resend_organization_invite",
  "nexus_open_internal_dm",
  "nexus_send_internal_message",
  "nexus_update_message_annotation",
  "nexus_update_ai_tag_definition",
  "nexus_set_org_ai_annotation_prompt",
  "nexus_update_org_conversation_intelligence_context",
]);

const DESTRUCTIVE: ReadonlySet<string> = new Set(["nexus_delete_social_post"]);

/** A tool as it is stored. */
export const toolSchema = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  inputSchema: z.record(z.string(), z.unknown()),
  /** Whether nexusd can check an input against the schema. */
  isChecked: z.boolean(),
  isDestructive: z.boolean(),
  /** SHA-256 of everything that the server says about it: another hash is another tool. */
  hash: z.string(),
});
export type Tool = z.infer<typeof toolSchema>;

/** A part of the name of an operation, and of a policy. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,100}$/;
export const MOST_TOOLS = 500;
const LONGEST_TITLE = 200;
const LONGEST_DESCRIPTION = 4000;
const LONGEST_SCHEMA = 64 * 1024;
const ANYTHING = { type: "object" };

/**
 * The tools in a `tools/list`, the first of each name, at most 500. A tool without a usable name is left out; a schema
 * that is too large or not an object is replaced by one that accepts any object.
 */
export function readTools(listed: readonly unknown[]): { tools: Tool[]; leftOut: number } {
  const tools = new Map<string, Tool>();
  for (const entry of listed) {
    const tool = readTool(entry);
    if (tool && !tools.has(tool.name) && tools.size < MOST_TOOLS) tools.set(tool.name, tool);
  }
  return { tools: [...tools.values()], leftOut: listed.length - tools.size };
}

function readTool(entry: unknown): Tool | undefined {
  const { name, title, description, inputSchema, annotations } = fieldsOf(entry);
  if (typeof name !== "string" || !TOOL_NAME.test(name)) return undefined;
  const hints = fieldsOf(annotations);
  try {
    const hash = digestOf(canonicalRecord({ name, title, description, inputSchema, annotations }));
    const schema = fieldsOf(inputSchema);
    const isUsable = schema.type === "object" && stringifyJson(schema).length <= LONGEST_SCHEMA;
    return {
      name,
      title: cut([title, hints.title].find(isText) ?? name, LONGEST_TITLE),
      description: cut(isText(description) ? description : "", LONGEST_DESCRIPTION),
      inputSchema: isUsable ? schema : ANYTHING,
      isChecked: isUsable && isReadable(schema),
      // A hint of the server can make a tool count as more dangerous, never as less.
      isDestructive: DESTRUCTIVE.has(name) || hints.destructiveHint === true,
      hash,
    };
  } catch {
    // Nested too deeply to be serialized.
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

const cut = (text: string, length: number): string =>
  (text.length > length ? `${text.slice(0, length)}…` : text).toWellFormed();
