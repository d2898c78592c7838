// The server on stdin and stdout, for both revisions of the protocol, until the client or its process is gone.

import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import { isObject } from "../core/is-object.ts";
import { consumerOf, uriOf } from "./resources.ts";
import { createMcpServer, type McpOptions } from "./server.ts";
import { createWatch, type Watch } from "./watch.ts";

type StdioOptions = Omit<McpOptions, "watch"> &
  Pick<Parameters<typeof createWatch>[0], "clock" | "random"> & {
    /** Called for each message of the client. */
    onMessage?: (() => void) | undefined;
  };

export interface StdioServer {
  /** Resolves when the client has closed stdin, or `close` was called. */
  ended: Promise<void>;
  close(): Promise<void>;
}

/** Serves the process's own stdin and stdout: nothing else may write to stdout from then on. */
export function serveOnStdio({ clock, random, onMessage, ...options }: StdioOptions): StdioServer {
  let server: ReturnType<typeof createMcpServer> | undefined;
  const watch = createWatch({
    ...{ client: options.client, clock, random },
    onNews: (consumer) => {
      // If the client has just gone, the notification is lost, which does not matter.
      server?.sendResourceUpdated({ uri: uriOf(consumer) }).catch(() => {});
    },
  });
  let settle = () => {};
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const transport = followListens(new StdioServerTransport(), watch, onMessage);
  const handle = serveStdio(
    () => {
      server = createMcpServer({ ...options, watch });
      return server;
    },
    { transport },
  );
  const closed = transport.onclose;
  transport.onclose = () => {
    watch.close();
    closed?.();
    settle();
  };
  return {
    ended,
    close: async () => {
      watch.close();
      await handle.close();
      settle();
    },
  };
}

/**
 * `subscriptions/listen` of revision 2026-07-28 is answered before the server sees it, so the consumers to watch can
 * only be read from the incoming message.
 */
function followListens(transport: Transport, watch: Watch, onMessage?: () => void): Transport {
  let receive: Transport["onmessage"];
  return Object.defineProperty(transport, "onmessage", {
    get: () => receive,
    set: (next: Transport["onmessage"]) => {
      receive =
        next &&
        ((message, extra) => {
          onMessage?.();
          takeListen(message, watch);
          next(message, extra);
        });
    },
  });
}

function takeListen(message: JSONRPCMessage, watch: Watch): void {
  if (!("method" in message) || !isObject(message.params)) return;
  if (message.method === "notifications/cancelled") watch.unfollowAll(followerOf(message.params.requestId));
  if (message.method !== "subscriptions/listen" || !("id" in message)) return;
  const { notifications } = message.params;
  const uris = isObject(notifications) ? notifications.resourceSubscriptions : undefined;
  for (const uri of Array.isArray(uris) ? uris : []) {
    const consumer = typeof uri === "string" ? consumerOf(uri) : undefined;
    if (consumer !== undefined) watch.follow(consumer, followerOf(message.id));
  }
}

const followerOf = (requestId: unknown): string => `listen ${JSON.stringify(requestId)}`;
