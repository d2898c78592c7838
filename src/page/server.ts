// The page's server: only on 127.0.0.1, in the operator's process, for the browser that has opened its one-use link.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { protect, type Refusal, refuse, send } from "./answer.ts";
import type { Assets } from "./assets.ts";
import { refusalOf } from "./gate.ts";
import { OPEN_PATH } from "./names.ts";
import { isPassedOn } from "./routes.ts";
import { createSession, type Session } from "./session.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

export interface PageOptions {
  /** 0: any free port. */
  port: number;
  /** The path of operator.sock. */
  socketPath: string;
  assets: Assets;
  clock: Clock;
  /** It stops when no browser has had the page open for this long. */
  idleMs: number;
  /** Stops it at once. */
  signal: AbortSignal;
  /** How long to wait for a browser that does not read its answer, in ms; default: 30 s. */
  unreadMs?: number;
}

export interface Page {
  readonly port: number;
  /** Opens the page, once. */
  readonly link: string;
  /** Resolves when the link was used. */
  readonly opened: Promise<void>;
  /** Resolves when the server is closed, with the reason. */
  readonly ended: Promise<"idle" | "stopped">;
}

const HOST = "127.0.0.1";
/** How long a request may take to arrive. */
const ARRIVE_MS = 30_000;
/** Files that load without authorization: they open nothing on their own. */
const PUBLIC: Readonly<Record<string, string>> = {
  [OPEN_PATH]: "open.html",
  "/open.js": "open.js",
  "/app.css": "app.css",
  "/icon.svg": "icon.svg",
};
const NO_SESSION: Refusal = {
  code: "no_page_session",
  detail: "Open the page by the link that nexusctl page has printed, in this browser.",
};

/** @throws the error of `listen`, such as EADDRINUSE */
export async function startPage(options: PageOptions): Promise<Page> {
  const server = createServer({ requireHostHeader: false, connectionsCheckingInterval: 5000 });
  server.requestTimeout = ARRIVE_MS;
  server.listen({ host: HOST, port: options.port, exclusive: true });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const host = `${HOST}:${port}`;

  const { promise: ended, resolve: end } = Promise.withResolvers<"idle" | "stopped">();
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const session = createSession(port);
  const use = watchUse(options, () => end("idle"));
  const serve = createHandler({
    ...{ session, assets: options.assets, onOpened: open, use },
    upstream: createUpstream(options.socketPath, options),
  });
  server.on("request", (request, response) => {
    protect(response);
    const refusal = refusalOf(request, host);
    if (refusal) refuse(response, refusal);
    else serve(request, response).catch(() => response.destroy());
  });
  const stop = () => end("stopped");
  options.signal.addEventListener("abort", stop, { once: true });
  if (options.signal.aborted) stop();

  const close = async (why: "idle" | "stopped") => {
    use.stop();
    options.signal.removeEventListener("abort", stop);
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
    return why;
  };
  return { port, link: `http://${host}${OPEN_PATH}#${session.key}`, opened, ended: ended.then(close) };
}

interface Use {
  /** The page counts as open until the answer is over, which for a stream may take long. */
  begin(response: ServerResponse): void;
  stop(): void;
}

function watchUse({ clock, idleMs }: PageOptions, onIdle: () => void): Use {
  let underWay = 0;
  let cancel = clock.after(idleMs, onIdle);
  return {
    begin(response) {
      underWay++;
      cancel();
      response.once("close", () => {
        underWay--;
        if (underWay === 0) cancel = clock.after(idleMs, onIdle);
      });
    },
    stop: () => {
      cancel();
      underWay = Number.POSITIVE_INFINITY;
    },
  };
}

interface Parts {
  session: Session;
  assets: Assets;
  upstream: Upstream;
  use: Use;
  onOpened: () => void;
}

const opening = z.strictObject({ key: z.string().max(100) });

function createHandler({ session, assets, upstream, use, onOpened }: Parts) {
  const sendAsset = (response: ServerResponse, name: string) => {
    const asset = assets.get(name);
    if (asset) send(response, 200, asset.type, asset.body);
    else refuse(response, { code: "not_found", detail: "The page has no file of this name." });
  };
  const answerOpening = async (request: IncomingMessage, response: ServerResponse) => {
    const shown = opening.safeParse(await readJson(request));
    const answer = session.open(shown.success ? shown.data.key : "");
    if ("code" in answer) return refuse(response, answer);
    response.setHeader("set-cookie", answer.cookie);
    send(response, 200, "application/json; charset=utf-8", JSON.stringify({ tab: answer.tab }));
    onOpened();
  };

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "" } = request;
    if (method === "POST" && url === OPEN_PATH) return await answerOpening(request, response);
    const name = Object.hasOwn(PUBLIC, url) ? PUBLIC[url] : undefined;
    if (method !== "POST" && name !== undefined) return sendAsset(response, name);
    const isApi = url.startsWith("/v1/");
    if (!session.holds(request, isApi)) return refuse(response, NO_SESSION);
    use.begin(response);
    if (!isApi && method !== "POST") return sendAsset(response, url === "/" ? "index.html" : url.slice(1));
    if (isPassedOn(method, url)) return await upstream.pass(request, response);
    refuse(response, {
      code: "not_found",
      detail: "The page has no use for this path, and does not pass it on.",
    });
  };
}

const LONGEST_OPENING = 1024;

/** @returns undefined for a body that is not JSON, or too long */
async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > LONGEST_OPENING) return undefined;
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
