// A model that follows a script, behind the API of OpenAI's chat completions: the gateway takes it for a real one.

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A message of the conversation, as far as a script reads it. */
export interface Said {
  role: string;
  content?: unknown;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** What the gateway asks of the model: one call. */
export interface Prompt {
  /** Wall time of its arrival, in milliseconds since the Unix epoch. */
  at: number;
  bytes: number;
  messages: Said[];
  tools: string[];
}

/** What the model answers: words, a call of a tool, or nothing but an HTTP status. */
export type Reply = { text: string } | { tool: string; input: unknown } | { status: number };

export interface ScriptedModel {
  /** What the gateway is told as `baseUrl`. */
  url: string;
  /** Every call so far. */
  prompts: Prompt[];
  close(): Promise<void>;
}

export async function startModel(script: (prompt: Prompt) => Reply): Promise<ScriptedModel> {
  const prompts: Prompt[] = [];
  let calls = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    if (!request.url?.endsWith("/chat/completions"))
      return void response.writeHead(200, { "content-type": "application/json" }).end('{"data":[]}');
    const { messages, tools = [] } = JSON.parse(body) as {
      messages: Said[];
      tools?: { function: { name: string } }[];
    };
    const prompt = {
      ...{ at: Date.now(), bytes: Buffer.byteLength(body), messages },
      tools: tools.map((tool) => tool.function.name),
    };
    prompts.push(prompt);
    answer(response, script(prompt), prompt.tools, ++calls);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    prompts,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answer(response: ServerResponse, reply: Reply, tools: string[], call: number): void {
  if ("status" in reply) {
    const error = { message: "the scripted model refuses", type: "server_error" };
    response.writeHead(reply.status, { "content-type": "application/json" });
    return void response.end(JSON.stringify({ error }));
  }
  const chunk = (delta: object, finished: string | null = null) =>
    response.write(
      `data: ${JSON.stringify({
        ...{ id: `call-${call}`, object: "chat.completion.chunk", created: 1, model: "scripted" },
        choices: [{ index: 0, delta, finish_reason: finished }],
      })}\n\n`,
    );
  response.writeHead(200, { "content-type": "text/event-stream" });
  if ("text" in reply) chunk({ role: "assistant", content: reply.text });
  else {
    // With many tools the gateway shows three that lead to the others.
    const isDirect = tools.includes(reply.tool);
    const name = isDirect ? reply.tool : "tool_call";
    const input = isDirect ? reply.input : { id: reply.tool, args: reply.input };
    chunk({
      role: "assistant",
      tool_calls: [
        { index: 0, id: `t${call}`, type: "function", function: { name, arguments: JSON.stringify(input) } },
      ],
    });
  }
  chunk({}, "text" in reply ? "stop" : "tool_calls");
  response.end("data: [DONE]\n\n");
}

/** What has been said since the last message to the model that no tool sent. */
export function turnOf({ messages }: Prompt): { asked: string; since: Said[] } {
  const at = messages.findLastIndex(({ role }) => role === "user");
  return { asked: textOf(messages[at]), since: messages.slice(at + 1) };
}

/** The text of a message, whose parts are joined. */
export function textOf(message: Said | undefined): string {
  const content = message?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: string }) => part.text ?? "").join("");
}
