// A model that follows a script, behind the API of OpenAI's chat completions: the gateway treats it as a real one.

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

/** What the gateway adds at the end of each call, whatever was asked: the wakes are in it. */
const CONTEXT = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>";

/** One turn of the agent: what it was given, and what has been said since. */
export function turnOf({ messages }: Prompt): { asked: string; since: Said[] } {
  const isContext = (message: Said) => message.role === "user" && textOf(message).startsWith(CONTEXT);
  const said = messages.filter((message) => !isContext(message));
  const at = said.findLastIndex(({ role }) => role === "user");
  return {
    asked: [...messages.filter(isContext), ...said.slice(at, at + 1)].map(textOf).join("\n"),
    since: said.slice(at + 1),
  };
}

/** The text of a message, whose parts are joined. */
export function textOf(message: Said | undefined): string {
  const content = message?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: string }) => part.text ?? "").join("");
}

/** A call of a tool, by the name of the tool itself, and what came of it. */
export interface Called {
  tool: string;
  /** The structured content of its answer; undefined: it failed. */
  result: unknown;
}

/** The last call of a tool in the turn; undefined: there was none yet. */
export function lastCall(since: readonly Said[]): Called | undefined {
  const answer = since.at(-1);
  const call = since.at(-2)?.tool_calls?.[0];
  if (answer?.role !== "tool" || !call) return undefined;
  const input = JSON.parse(call.function.arguments) as { id?: string };
  const tool = call.function.name === "tool_call" ? (input.id ?? "") : call.function.name;
  return { tool, result: structuredOf(textOf(answer)) };
}

/**
 * What a model sees of an answer: the gateway writes its structured content first, wraps all of it in words of warning,
 * and cuts the whole at some 20,000 characters. @returns undefined where the first part of it is cut or missing
 */
function structuredOf(text: string): unknown {
  const [, literal] = /"text": ("structuredContent:(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  try {
    const whole: string = JSON.parse(literal ?? "");
    return JSON.parse(whole.slice("structuredContent:".length));
  } catch {
    return undefined;
  }
}
