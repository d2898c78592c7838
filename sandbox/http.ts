/** What all stand-in servers share: an HTTP server with a request record, injected faults and a control endpoint. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { SandboxClock } from "./clock.ts";
import { type Fault, type FaultBox, faultBox, parseFault } from "./faults.ts";
import { number, object } from "./input.ts";

const keptRequests = 2000;
/** Bytes of request line and headers that the services' gateways accept; Node.js's own limit is a quarter of it. */
const longestHead = 64 * 1024;

interface RequestRecord {
  /** The sandbox clock's time of arrival, in milliseconds. */
  at: number;
  method: string;
  /** Path with its query. */
  path: string;
  /** 0 until there is an answer, and forever if the connection was dropped instead. */
  status: number;
}

export interface HttpRequest {
  method: string;
  url: URL;
  /** The header's value, or undefined if it is absent or empty. */
  header(name: string): string | undefined;
  body: string;
  remoteAddress: string;
  /** Called if there is something to deliver: true if a fault wants it delivered twice. */
  takeDuplicate(): boolean;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body: string;
}

/** A streaming answer: headers at once, then whatever is written until either side closes. */
export interface StreamReply {
  status: number;
  headers: Record<string, string>;
  open(stream: OpenStream): void;
}

export interface OpenStream {
  write(chunk: string): void;
  /** Breaks the connection, like a crashing proxy. */
  cut(): void;
  onClose(listener: () => void): void;
}

/** A control action: receives the value of its key, and the whole body. Its return value is answered as `result`. */
type ControlAction = (value: unknown, body: Record<string, unknown>) => unknown;

export interface StandInOptions {
  port: number;
  clock: SandboxClock;
  handle(request: HttpRequest): Reply | StreamReply | Promise<Reply | StreamReply>;
  /** The service's own answer for a status that a fault requests, and (500) for a handler that throws. */
  errorReply(status: number): Reply;
  controls: Record<string, ControlAction>;
  /** What `GET /_control` returns besides requests and faults. */
  state(): Record<string, unknown>;
}

export interface StandIn {
  url: string;
  requests: RequestRecord[];
  addFault(fault: Fault): void;
  clearFaults(): void;
  /** Stops at once: open connections are destroyed. */
  close(): Promise<void>;
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const faults = faultBox();
  const requests: RequestRecord[] = [];

  async function exchange(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req);
    const method = req.method ?? "GET";
    const path = req.url ?? "/";
    const request: HttpRequest = {
      method,
      url: new URL(path, "http://sandbox.invalid"),
      header: (name) => [req.headers[name]].flat()[0] || undefined,
      body,
      remoteAddress: req.socket.remoteAddress ?? "",
      takeDuplicate: () => faults.takeDuplicate(`${method} ${path}`),
    };
    if (request.url.pathname === "/_control") {
      send(res, control(request));
      return;
    }
    const record: RequestRecord = { at: options.clock.now(), method, path, status: 0 };
    requests.push(record);
    if (requests.length > keptRequests) requests.shift();
    const handle = async () => {
      try {
        return await options.handle(request);
      } catch (error) {
        console.error("sandbox: a stand-in failed", error);
        return options.errorReply(500);
      }
    };
    await answer(res, record, faults, faults.take(`${method} ${path}`), handle, options.errorReply);
  }

  function control(request: HttpRequest): Reply {
    if (request.method === "GET") return json(200, { requests, faults: faults.list(), ...options.state() });
    if (request.method !== "POST") return json(405, { error: "method_not_allowed" });
    const controls: Record<string, ControlAction> = {
      fault: (value) => faults.add(parseFault(value)),
      clearFaults: () => faults.clear(),
      advanceMs: (value) => options.clock.advance(number(value, "advanceMs")),
      ...options.controls,
    };
    try {
      const body = object(JSON.parse(request.body), "the control body");
      const name = Object.keys(controls).find((key) => key in body);
      if (name === undefined) throw new Error(`no such action; one of ${Object.keys(controls).join(", ")}`);
      return json(200, { ok: true, result: controls[name]?.(body[name], body) });
    } catch (error) {
      return json(400, { error: "bad_control", message: error instanceof Error ? error.message : "" });
    }
  }

  const server = createServer({ maxHeaderSize: longestHead }, (req, res) => {
    // A client that disconnects in the middle of its request is not an error of the stand-in.
    exchange(req, res).catch(() => res.destroy());
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;

  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    addFault: faults.add,
    clearFaults: faults.clear,
    async close() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      faults.clear();
      await closed;
    },
  };
}

async function answer(
  res: ServerResponse,
  record: RequestRecord,
  faults: FaultBox,
  fault: Fault | undefined,
  handle: () => Promise<Reply | StreamReply>,
  errorReply: (status: number) => Reply,
): Promise<void> {
  const deliver = (
    reply: Reply | StreamReply,
    body: { cut?: number | undefined; wait?: Promise<void> } = {},
  ) => {
    record.status = reply.status;
    if ("open" in reply) sendStream(res, reply, body.cut, body.wait);
    else send(res, reply, body.cut, body.wait);
  };
  if (fault === undefined) return deliver(await handle());

  const early = fault.afterHandling ? await handle() : undefined;
  switch (fault.kind) {
    case "drop":
      res.destroy();
      return;
    case "stall":
      await faults.held(fault.ms);
      // If the client gave up, its request is not carried out.
      if (!res.destroyed) deliver(early ?? (await handle()));
      return;
    case "status":
      deliver(withFault(errorReply(fault.status ?? 500), fault));
      return;
    case "html":
      deliver(proxyPage(fault));
      return;
    case "cut":
      deliver(await handle(), { cut: fault.afterBytes ?? -1 });
      return;
    case "slow-body":
      deliver(await handle(), { wait: faults.held(fault.ms) });
      return;
    case "duplicate":
      return deliver(await handle());
    default:
      return fault.kind satisfies never;
  }
}

function withFault(own: Reply, fault: Fault): Reply {
  const body = fault.body === undefined ? own.body : JSON.stringify(fault.body);
  return { status: own.status, headers: { ...own.headers, ...fault.headers }, body };
}

function proxyPage(fault: Fault): Reply {
  return {
    status: fault.status ?? 502,
    headers: { "content-type": "text/html", ...fault.headers },
    body: "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n",
  };
}

/** `cut`: bytes of the body after which the connection is destroyed, -1 for half of them. */
function send(res: ServerResponse, reply: Reply, cut?: number, wait?: Promise<void>): void {
  if (res.destroyed) return;
  const body = Buffer.from(reply.body);
  res.writeHead(reply.status, { "content-length": String(body.length), ...reply.headers });
  if (cut !== undefined) {
    res.flushHeaders();
    res.write(body.subarray(0, cut < 0 ? body.length / 2 : cut), () => res.destroy());
  } else if (wait !== undefined) {
    res.flushHeaders();
    void wait.then(() => res.end(body));
  } else {
    res.end(body);
  }
}

/** `cut`: as for `send`, but a stream has no half: -1 destroys it once its headers are sent. */
function sendStream(res: ServerResponse, reply: StreamReply, cut?: number, wait?: Promise<void>): void {
  if (res.destroyed) return;
  res.writeHead(reply.status, reply.headers);
  res.flushHeaders();
  let bytesLeft = cut === undefined ? Number.POSITIVE_INFINITY : Math.max(cut, 0);
  const stream: OpenStream = {
    write(chunk) {
      if (res.destroyed || bytesLeft < 0) return;
      const bytes = Buffer.from(chunk);
      if (bytes.length < bytesLeft) {
        bytesLeft -= bytes.length;
        res.write(bytes);
      } else {
        const rest = bytes.subarray(0, bytesLeft);
        bytesLeft = -1;
        res.write(rest, () => res.destroy());
      }
    },
    cut: () => res.destroy(),
    onClose: (listener) => res.once("close", listener),
  };
  const open = () => {
    if (!res.destroyed) reply.open(stream);
  };
  if (wait === undefined) open();
  else void wait.then(open);
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
