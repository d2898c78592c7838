// A model that follows a script, behind Anthropic's Messages API: Claude Code treats it as a real one.

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Part =
  | { type: "text"; text: string }
  | { type: "tool_use"; id: string; name: string; input: unknown }
  | { type: "tool_result"; tool_use_id: string; content?: string | Part[] };

export interface Said {
  role: string;
  content: string | Part[];
}

/** What Claude Code asks of the model: one call. */
export interface Prompt {
  messages: Said[];
  tools: string[];
}

/** What the model answers: words, or a call of a tool. */
export type Reply = { text: string } | { tool: string; input: unknown };

export interface ScriptedModel {
  /** What Claude Code is told as `ANTHROPIC_BASE_URL`. */
  url: string;
  close(): Promise<void>;
}

export async function startModel(script: (prompt: Prompt) => Reply): Promise<ScriptedModel> {
  let calls = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const path = request.url?.split("?")[0];
    if (request.method !== "POST" || path !== "/v1/messages")
      return void response.writeHead(404, { "content-type": "application/json" }).end("{}");
    const { messages, tools = [] } = JSON.parse(body) as {
      messages: Said[];
      tools?: { name: string }[];
    };
    answer(response, script({ messages, tools: tools.map(({ name }) => name) }), ++calls);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answer(response: ServerResponse, reply: Reply, call: number): void {
  const isText = "text" in reply;
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = {
    ...{ id: `msg_${call}`, type: "message", role: "assistant", model: "scripted", usage },
    ...{ content: [] as unknown[], stop_reason: null as string | null, stop_sequence: null },
  };
  const stopReason = isText ? "end_turn" : "tool_use";
  const tool = isText ? undefined : { type: "tool_use", id: `toolu_${call}`, name: reply.tool };
  const send = (type: string, fields: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
  response.writeHead(200, { "content-type": "text/event-stream" });
  send("message_start", { message });
  send("content_block_start", {
    index: 0,
    content_block: isText ? { type: "text", text: "" } : { ...tool, input: {} },
  });
  send("content_block_delta", {
    index: 0,
    delta: isText
      ? { type: "text_delta", text: reply.text }
      : { type: "input_json_delta", partial_json: JSON.stringify(reply.input) },
  });
  send("content_block_stop", { index: 0 });
  send("message_delta", { delta: { stop_reason: stopReason, stop_sequence: null }, usage });
  send("message_stop", {});
  response.end();
}

/** The parts of a message, whose content may be one text. */
export const partsOf = ({ content }: Said): Part[] =>
  typeof content === "string" ? [{ type: "text", text: content }] : content;
