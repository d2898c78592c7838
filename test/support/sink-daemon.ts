// A real daemon with sinks that run real commands, and a job that logs an event on request.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { SinkStatus } from "../../src/contract/api/sinks.ts";
import { ask, install, type RunningDaemon, startDaemon, until } from "./daemon.ts";

const JOB = `import { z } from "zod";
let n = 0;
export default {
  name: "emit",
  description: "Logs an event",
  kind: "cron",
  schedule: "0 0 1 1 *",
  catchUp: "none",
  events: { "shop.item.sold": { when: "An item is sold.", data: z.object({ n: z.int() }) } },
  async run({ store }) {
    n += 1;
    await store.commitObservation({
      source: "emit",
      events: [{ type: "shop.item.sold", source: "/jobs/emit", data: { n } }],
    });
  },
};
`;

/** @param sinks TOML of the `[[sinks]]`, from a function that gets a script's path by its name */
export function createSinkScene(sinks: (script: (name: string) => string) => string) {
  const installation = install("");
  onTestFinished(installation.remove);
  const { directory, operatorSocket } = installation;
  const place = (name: string) => join(directory, name);
  mkdirSync(place("jobs"));
  writeFileSync(place("jobs/emit.js"), JOB);
  const configure = (text: string) =>
    writeFileSync(
      installation.configPath,
      `[daemon]\ndata_dir = "${installation.dataDir}"\nlog_level = "debug"\nlog_format = "json"\n` +
        `[messaging]\nenabled = false\n[nex]\nenabled = false\n[nexus]\nenabled = false\n[jobs]\ndirectory = "${place("jobs")}"\n${text}`,
    );
  configure(sinks(place));
  let daemon: RunningDaemon | undefined;
  onTestFinished(async () => {
    await daemon?.end("SIGKILL");
  });

  const operator = (method: string, path: string, body?: unknown) =>
    ask(operatorSocket, path, { method, ...(body !== undefined && { body }) });
  const scene = {
    ...{ installation, place, configure, operator },
    script(name: string, body: string) {
      writeFileSync(place(name), `#!/bin/sh\ncd '${directory}'\n${body}\n`);
      chmodSync(place(name), 0o755);
    },
    /** The lines of a file; none if it does not exist yet. */
    lines: (name: string): string[] =>
      existsSync(place(name)) ? readFileSync(place(name), "utf8").split("\n").filter(Boolean) : [],
    get daemon(): RunningDaemon {
      if (!daemon) throw new Error("the daemon has not started");
      return daemon;
    },
    async start() {
      daemon = startDaemon(installation, {});
      await daemon.ready;
    },
    async emit() {
      const { status, text } = await operator("POST", "/v1/jobs/emit/run");
      if (status !== 200) throw new Error(text);
    },
    async status(name = "agent"): Promise<SinkStatus> {
      const { sinks: all } = JSON.parse((await operator("GET", "/v1/sinks")).text);
      return all.find((sink: SinkStatus) => sink.name === name);
    },
    /** Acknowledges everything in the log. */
    async acknowledge(consumer = "agent") {
      const { log } = JSON.parse((await operator("GET", "/v1/status")).text);
      await operator("POST", `/v1/consumers/${consumer}/ack`, { sequence: log.latest });
    },
    until: <T>(look: () => T | undefined | false | Promise<T | undefined | false>, what: string) =>
      until(look, () => `${what}\n${daemon?.log().slice(-4000)}`, 20_000),
  };
  return scene;
}

export const isRunning = (pid: number): boolean => {
  try {
    // A zombie process has ended.
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};
