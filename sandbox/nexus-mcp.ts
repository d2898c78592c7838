/**
 * `/functions/v1/mcp-server` of the Nexus stand-in: the official server library in JSON-response mode, without
 * sessions, offering several of the published tools and all resources on the stand-in's tables (`nexus.md`, 1.8).
 */

import { McpServer, WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { HttpRequest, Reply } from "./http.ts";
import type { Action } from "./nexus-actions.ts";
import type { Database, Row } from "./nexus-database.ts";

export interface McpContext {
  organizationId: string;
  database: Pick<Database, "sql">;
}

export interface Mcp {
  handle(request: HttpRequest): Promise<Reply>;
  /** The calls of tools that write, oldest first. */
  done(): Action[];
}

const RESOURCES: Record<string, unknown> = {
  "nexus://organization/info": { name: "A small shop", currency: "EGP", plan: "growth" },
  "nexus://schema/contacts": { table: "customers" },
  "nexus://schema/orders": { table: "orders", status: "order_status" },
  "nexus://schema/inventory": { tables: ["items", "stock_balances"] },
  "nexus://schema/social": { tables: ["social_posts", "social_accounts"] },
  "nexus://schema/conversation-intelligence": { tables: ["ai_message_annotations"] },
};

const passed = [
  "accept",
  "content-type",
  "mcp-protocol-version",
  "mcp-session-id",
  "last-event-id",
  "user-agent",
];

export function openMcp({ organizationId, database }: McpContext): Mcp {
  const done: Action[] = [];
  const rows = (text: string, ...params: unknown[]) => database.sql(text, [organizationId, ...params]);
  /** The vendor's tools are assumed to answer with JSON in a text. */
  const answer = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] });
  const failure = (error: string, message: string) => ({ ...answer({ error, message }), isError: true });
  const one = (found: Row[], what: string) =>
    found[0] === undefined ? failure("not_found", `No such ${what}`) : answer({ [what]: found[0] });

  const serve = (): McpServer => {
    const server = new McpServer({ name: "nexus", version: "1.0.5" });

    server.registerTool(
      "nexus_list_contacts",
      {
        description: "List contacts, newest first",
        inputSchema: z.object({ search: z.string().optional(), limit: z.int().min(1).max(100).optional() }),
      },
      async ({ search = "", limit = 25 }) =>
        answer({
          contacts: await rows(
            `select * from customers where organization_id = $1
             and concat_ws(' ', first_name, last_name, email) ilike '%' || $2 || '%'
             order by created_at desc, id desc limit $3`,
            search,
            limit,
          ),
        }),
    );
    server.registerTool(
      "nexus_get_contact",
      { description: "One contact by UUID", inputSchema: z.object({ contact_id: z.string() }) },
      async ({ contact_id }) =>
        one(
          await rows("select * from customers where organization_id = $1 and id::text = $2", contact_id),
          "contact",
        ),
    );
    server.registerTool(
      "nexus_create_contact",
      {
        description: "Create a contact",
        inputSchema: z.object({
          first_name: z.string().min(1),
          last_name: z.string().optional(),
          email: z.string().optional(),
          phone: z.string().optional(),
          tags: z.array(z.string()).optional(),
        }),
      },
      async (contact) => {
        done.push({ name: "nexus_create_contact", body: contact });
        const { first_name, last_name = null, email = null, phone = null, tags = null } = contact;
        const made = await rows(
          `insert into customers (organization_id, first_name, last_name, email, phone_number, tags)
           values ($1, $2, $3, $4, $5, $6) returning *`,
          ...[first_name, last_name, email, phone, tags],
        );
        return one(made, "contact");
      },
    );
    server.registerTool(
      "nexus_list_orders",
      {
        description: "List orders, newest first",
        inputSchema: z.object({ status: z.string().optional(), customer_id: z.string().optional() }),
      },
      async ({ status = null, customer_id = null }) =>
        answer({
          orders: await rows(
            `select * from orders where organization_id = $1 and ($2::text is null or order_status::text = $2)
             and ($3::text is null or customer_id::text = $3) order by created_at desc, id desc limit 50`,
            status,
            customer_id,
          ),
        }),
    );
    server.registerTool(
      "nexus_get_order",
      { description: "One order by UUID", inputSchema: z.object({ order_id: z.string() }) },
      async ({ order_id }) =>
        one(
          await rows("select * from orders where organization_id = $1 and id::text = $2", order_id),
          "order",
        ),
    );
    server.registerTool(
      "nexus_update_order_status",
      {
        description: "Set the status of an order",
        inputSchema: z.object({
          order_id: z.string(),
          status: z.enum(["pending", "confirmed", "fulfilling", "shipped", "delivered", "cancelled"]),
        }),
      },
      async ({ order_id, status }) => {
        done.push({ name: "nexus_update_order_status", body: { order_id, status } });
        const changed = await rows(
          "update orders set order_status = $3::order_status where organization_id = $1 and id::text = $2 returning *",
          order_id,
          status,
        );
        return one(changed, "order");
      },
    );
    server.registerTool(
      "nexus_check_stock",
      {
        description: "Stock of an item by id or SKU",
        inputSchema: z.object({ item_id: z.string().optional(), sku: z.string().optional() }),
      },
      async ({ item_id = null, sku = null }) =>
        answer({
          stock: await rows(
            `select s.*, i.sku from stock_balances s join items i on i.id = s.item_id
             where s.organization_id = $1 and (i.id::text = $2 or i.sku = $3) order by s.id`,
            item_id,
            sku,
          ),
        }),
    );
    server.registerTool(
      "nexus_list_social_posts",
      { description: "List social posts", inputSchema: z.object({}) },
      // Requires a plan that this shop does not have.
      async () => failure("plan_limit_exceeded", "Social tools need the starter plan or a higher one"),
    );

    for (const [uri, value] of Object.entries(RESOURCES))
      server.registerResource(
        uri.slice("nexus://".length),
        uri,
        { mimeType: "application/json" },
        async () => ({
          contents: [{ uri, mimeType: "application/json", text: JSON.stringify(value) }],
        }),
      );
    return server;
  };

  return {
    done: () => [...done],
    async handle(request) {
      // The vendor documents a stateless server: each request gets a new one.
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
      const server = serve();
      await server.connect(transport);
      const headers = new Headers(
        passed.flatMap((name): [string, string][] => {
          const value = request.header(name);
          return value === undefined ? [] : [[name, value]];
        }),
      );
      const response = await transport.handleRequest(
        new Request(new URL(request.url.pathname, "http://sandbox.invalid"), {
          method: "POST",
          headers,
          body: request.body,
        }),
      );
      const reply = {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
      };
      await server.close();
      return reply;
    },
  };
}
