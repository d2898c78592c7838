// The page's server in front of a real control API, and a browser whose requests the test writes itself.

import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { Assets } from "../../src/page/assets.ts";
import { type Page, startPage } from "../../src/page/server.ts";
import type { Answer } from "./control.ts";

export interface BrowserRequest {
  method?: string;
  /** In addition to the session's; undefined removes one. */
  headers?: Record<string, string | string[] | undefined>;
  body?: string;
  /** Without the session's headers. */
  isStranger?: boolean;
  signal?: AbortSignal;
}

export interface TestPage extends Page {
  origin: string;
  stop: AbortController;
  /** Uses the link. */
  open(key?: string): Promise<Answer>;
  ask(path: string, options?: BrowserRequest): Promise<Answer>;
  /** Resolves at the headers. */
  begin(path: string, options?: BrowserRequest): Promise<IncomingMessage>;
}

const file = (type: string, text: string) => ({ type, body: Buffer.from(text) });

const TEST_ASSETS: Assets = new Map([
  ["index.html", file("text/html; charset=utf-8", "<!doctype html><title>the page</title>")],
  ["open.html", file("text/html; charset=utf-8", "<!doctype html><title>the link</title>")],
  ["open.js", file("text/javascript; charset=utf-8", "")],
  ["app.js", file("text/javascript; charset=utf-8", "")],
]);

export async function startTestPage(
  socketPath: string,
  options: { clock?: Clock; idleMs?: number; unreadMs?: number } = {},
): Promise<TestPage> {
  const stop = new AbortController();
  const page = await startPage({
    ...{ port: 0, socketPath, assets: TEST_ASSETS, clock: systemClock, idleMs: 1_800_000 },
    ...{ signal: stop.signal, ...options },
  });
  onTestFinished(async () => {
    stop.abort();
    await page.ended;
  });
  const origin = `http://127.0.0.1:${page.port}`;
  let session: Record<string, string> = {};

  const begin = (path: string, { method = "GET", isStranger, ...options }: BrowserRequest = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers: BrowserRequest["headers"] = {
        host: `127.0.0.1:${page.port}`,
        "sec-fetch-site": "same-origin",
        ...(method === "POST" && { origin, "content-type": "application/json" }),
        ...(!isStranger && session),
        ...options.headers,
      };
      const given = Object.entries(headers).filter((pair): pair is [string, string | string[]] => !!pair[1]);
      const outgoing = request(
        {
          ...{ host: "127.0.0.1", port: page.port, method, path, agent: false },
          ...{ headers: Object.fromEntries(given), setHost: false },
          ...(options.signal && { signal: options.signal }),
        },
        resolve,
      );
      outgoing.on("error", reject);
      outgoing.end(options.body);
    });
  const ask = async (path: string, options?: BrowserRequest): Promise<Answer> => {
    const response = await begin(path, options);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
    return {
      ...{ status: response.statusCode ?? 0, headers: response.headers, text },
      json: isJson ? JSON.parse(text) : undefined,
    };
  };
  return {
    ...{ ...page, origin, stop, begin, ask },
    async open(key = page.link.split("#")[1]) {
      const answer = await ask("/open", { method: "POST", body: JSON.stringify({ key }) });
      const [cookie] = answer.headers["set-cookie"] ?? [];
      if (cookie) session = { cookie: cookie.split(";")[0] ?? "", "nexusd-page": answer.json.tab };
      return answer;
    },
  };
}
