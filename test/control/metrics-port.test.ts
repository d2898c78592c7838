// The metrics on a port of this machine: who gets them, from where, and what happens if the port is in use.

import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startControl } from "../../src/control/server.ts";
import { send, startTestControl, temporaryDirectory } from "../support/control.ts";
import { parseExposition } from "../support/exposition.ts";

describe("the metrics port of this machine", () => {
  const freePort = async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // a server that listens on TCP has one
    server.close();
    await once(server, "close");
    return port;
  };
  const open = async () => {
    const { context } = await startTestControl();
    const directory = await temporaryDirectory();
    const sockets = { agent: join(directory, "a"), operator: join(directory, "o") };
    const metricsPort = await freePort();
    const start = () => startControl({ context, sockets, metricsPort });
    return { metricsPort, sockets, start };
  };
  const ask = (
    port: number,
    path: string,
    options: { method?: string; headers?: Record<string, string> } = {},
  ) =>
    new Promise<{ status: number; text: string; type: string | undefined }>((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text, type: response.headers["content-type"] }),
        );
      });
      asked.on("error", reject);
      asked.end();
    });

  test("serves the metrics and nothing else, and only to this machine", async () => {
    const { metricsPort: port, start } = await open();
    const control = await start();
    onTestFinished(() => control.close());
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "LOCALHOST", `[::1]:${port}`]) {
      const { status, text } = await ask(port, "/metrics", { headers: { host } });
      expect([host, status]).toEqual([host, 200]);
      expect(parseExposition(text).size).toBeGreaterThan(40);
    }
    const headOnly = await ask(port, "/metrics", { method: "HEAD" });
    expect(headOnly).toMatchObject({ status: 200, text: "" });
    for (const headers of [
      { host: "evil.example" },
      { host: `nexusd.evil.example:${port}` },
      { host: `127.0.0.1.evil.example:${port}` },
      { origin: "http://localhost" },
      { referer: "http://localhost/" },
    ] as Record<string, string>[]) {
      const { status, text } = await ask(port, "/metrics", { headers });
      expect([headers, status]).toEqual([headers, 403]);
      expect(JSON.parse(text).code).toBe("forbidden_origin");
    }
    for (const path of [
      "/",
      "/metrics/",
      "/metrics?x=1",
      "/v1/status",
      "/v1/events",
      "/openapi.json",
      "//metrics",
    ])
      expect([path, (await ask(port, path)).status]).toEqual([path, 404]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      expect([method, (await ask(port, "/metrics", { method })).status]).toEqual([method, 404]);
  });

  test("is closed with the other listeners, and only on 127.0.0.1", async () => {
    const { metricsPort: port, start } = await open();
    const control = await start();
    await expect(
      new Promise((_, reject) => {
        request({ host: "::1", port, path: "/metrics", agent: false }).on("error", reject).end();
      }),
    ).rejects.toThrow();
    await control.close();
    await expect(ask(port, "/metrics")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a port already in use ends the start with where and what to do, and leaves no socket", async () => {
    const { metricsPort, sockets, start } = await open();
    const other = createServer().listen(metricsPort, "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    await expect(start()).rejects.toThrow(
      `127.0.0.1:${metricsPort} (control.metrics_port): another process listens there; stop it, or name another port`,
    );
    await expect(send(sockets.operator, "GET", "/v1/health")).rejects.toThrow(/ENOENT/);
  });
});
