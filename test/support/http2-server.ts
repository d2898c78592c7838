// Real servers that offer HTTP/2 over TLS, and optionally HTTP/1.1.

import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import {
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
  type TLSSocket,
} from "node:tls";
import { onTestFinished } from "vitest";
import { type Certificate, makeCertificate } from "./certificate.ts";

interface SeenRequest {
  method: string;
  path: string;
  /** "1.1" or "2.0". */
  httpVersion: string;
  body: string;
  headers: Http2ServerRequest["headers"];
  /** The number of its connection, from 0. */
  connection: number;
}

export interface Http2Server {
  origin: string;
  requests: SeenRequest[];
  connections(): number;
  /** The certificate that a process must trust, PEM. */
  certificate: string;
}

export type Http2Behaviour = (response: Http2ServerResponse, request: SeenRequest) => void;

/** Serves until the end of the test, over HTTP/2 to clients that offer it. This process trusts its certificate. */
export async function serveHttp2(
  behave: Http2Behaviour,
  options: { allowHTTP1: boolean; maxConcurrentStreams?: number },
): Promise<Http2Server> {
  const { allowHTTP1, maxConcurrentStreams } = options;
  const certificate = makeCertificate();
  const requests: SeenRequest[] = [];
  const connections: unknown[] = [];
  const server = createSecureServer(
    {
      ...{ ...certificate, allowHTTP1 },
      ...(maxConcurrentStreams !== undefined && { settings: { maxConcurrentStreams } }),
    },
    async (request, response) => {
      const connection = connections.indexOf(request.stream?.session?.socket ?? request.socket);
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      const { method, url: path, httpVersion, headers } = request;
      const seen = { method, path, httpVersion, body, headers, connection };
      requests.push(seen);
      behave(response, seen);
    },
  );
  server.on("secureConnection", (socket) => connections.push(socket));
  const origin = await listen(server, certificate);
  return { origin, requests, connections: () => connections.length, certificate: certificate.cert };
}

/** A server below HTTP that speaks TLS without negotiating a protocol. */
export async function serveTls(onConnection: (socket: TLSSocket) => void): Promise<string> {
  const certificate = makeCertificate();
  return await listen(createTlsServer(certificate, onConnection), certificate);
}

async function listen(
  server: ReturnType<typeof createTlsServer> | ReturnType<typeof createSecureServer>,
  { cert }: Certificate,
): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("secureConnection", (socket: TLSSocket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, cert]);
  onTestFinished(() => {
    setDefaultCACertificates(trusted);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  // It listens on a port.
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
