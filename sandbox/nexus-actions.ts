/** The edge functions of the Nexus stand-in with effects: messages, shipments, calls, invitations (`nexus.md`, 1.9). */

import { randomUUID } from "node:crypto";
import { type HttpRequest, json, type Reply } from "./http.ts";
import { object } from "./input.ts";
import type { Database } from "./nexus-database.ts";

export interface ActionsContext {
  organizationId: string;
  database: Pick<Database, "sql">;
}

/** What an action did, in the terms of its request. */
export interface Action {
  name: string;
  body: Record<string, unknown>;
}

interface Invite {
  id: string;
  email: string;
  role: string;
  status: "pending" | "cancelled";
  sent: number;
}

type Run = (body: Record<string, unknown>, name: string) => Promise<Reply>;

export interface Actions {
  /** By the name of the function; all of them need POST and a token. */
  routes: Record<string, (request: HttpRequest) => Promise<Reply>>;
  /** The completed ones, oldest first. */
  done(): Action[];
}

export function openActions({ organizationId, database }: ActionsContext): Actions {
  const done: Action[] = [];
  const invites = new Map<string, Invite>();

  const sendMessage =
    (platform: string): Run =>
    async (body, name) => {
      const { chatId, message } = body;
      if (!areTexts(chatId, message, body.organizationId))
        return invalid("chatId, message and organizationId are required");
      const [row] = await database.sql(
        `insert into messages (organization_id, chat_id, content, direction, status)
         select organization_id, id, $2, 'outbound', 'sent' from chats
         where id::text = $1 and organization_id::text = $3 and organization_id = $4 and platform = $5
         returning id`,
        [chatId, message, body.organizationId, organizationId, platform],
      );
      if (row === undefined)
        return json(404, { error: "chat_not_found", message: `No such ${platform} chat` });
      done.push({ name, body });
      return json(200, { success: true, messageId: row.id });
    };

  const sendTemplate: Run = async (body, name) => {
    const { phone_number, template_name, language, components } = body;
    if (!areTexts(phone_number, template_name, language) || !Array.isArray(components))
      return invalid("phone_number, template_name, language and components are required");
    done.push({ name, body });
    return json(200, { success: true, messageId: randomUUID() });
  };

  const createAwb: Run = async (body, name) => {
    const { order_id, pickup_date } = body;
    if (!areTexts(order_id, pickup_date)) return invalid("order_id and pickup_date are required");
    const number = `BOSTA-${randomUUID().slice(0, 8)}`;
    const [row] = await database.sql(
      `with wanted as (
         select id from orders where id::text = $1 and organization_id = $2 and awb_number is null
       ), made as (
         insert into awbs (organization_id, awb_number, order_id, courier_name, pickup_date)
         select $2, $3, id, 'Bosta', $4::date from wanted returning *
       ), marked as (
         update orders set awb_number = $3 from wanted where orders.id = wanted.id
       )
       select * from made`,
      [order_id, organizationId, number, pickup_date],
    );
    if (row === undefined)
      return json(404, { error: "order_not_found", message: "No such order without an AWB" });
    done.push({ name, body });
    return json(200, { success: true, awb_number: number, awb_id: row.id });
  };

  const initiateCall: Run = async (body, name) => {
    if (!areTexts(body.phone_number)) return invalid("phone_number is required");
    done.push({ name, body });
    return json(200, { success: true, call_id: randomUUID() });
  };

  /** Its fields besides `action` are unpublished: these are the daemon's own guess. */
  const invite: Run = async (body, name) => {
    if (body.action === "list") return json(200, { invites: [...invites.values()] });
    if (body.action === "invite") {
      const { email, role } = body;
      if (typeof email !== "string" || typeof role !== "string")
        return invalid("email and role are required");
      const made: Invite = { id: randomUUID(), email, role, status: "pending", sent: 1 };
      invites.set(made.id, made);
      done.push({ name, body });
      return json(200, { success: true, invite: made });
    }
    const found = invites.get(String(body.invite_id));
    if (found === undefined) return json(404, { error: "invite_not_found", message: "No such invite" });
    // As some functions do: a failure inside a 200.
    if (found.status === "cancelled")
      return json(200, { success: false, message: "The invite is cancelled" });
    if (body.action === "cancel") found.status = "cancelled";
    else if (body.action === "resend") found.sent += 1;
    else return invalid("action must be invite, cancel, resend or list");
    done.push({ name, body });
    return json(200, { success: true, invite: found });
  };

  const runs: Record<string, Run> = {
    "whatsapp-send-message": sendMessage("whatsapp"),
    "facebook-send-message": sendMessage("facebook"),
    "instagram-send-message": sendMessage("instagram"),
    "whatsapp-send-template": sendTemplate,
    "create-awb-bosta": createAwb,
    "call-initiate": initiateCall,
    "agent-invite": invite,
  };
  return {
    done: () => [...done],
    routes: Object.fromEntries(
      Object.entries(runs).map(([name, run]) => [
        name,
        async (request: HttpRequest) => {
          const body = readBody(request.body);
          return body === undefined ? invalid("the body must be a JSON object") : run(body, name);
        },
      ]),
    ),
  };
}

const invalid = (message: string): Reply => json(400, { error: "invalid_request", message });

const areTexts = (...values: unknown[]): boolean =>
  values.every((value) => typeof value === "string" && value !== "");

function readBody(text: string): Record<string, unknown> | undefined {
  try {
    return object(JSON.parse(text), "the body");
  } catch {
    return undefined;
  }
}
