import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startWith } from "../../src/cli/start-with.ts";
import { createFakeDaemon, type FakeDaemon, runCli, runHere } from "../support/cli.ts";

let daemon: FakeDaemon;
const nexusctl = (...args: string[]) => runCli(["--socket", daemon.socket, ...args]);
const here = (...args: string[]) => runHere(["--socket", daemon.socket, ...args]);

beforeAll(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
});
afterEach(() => {
  daemon.override = undefined;
  daemon.requests = [];
});
afterAll(() => daemon.remove());

describe("exit codes", () => {
  it("ends with 0 and the daemon's own JSON on success, even if degraded", async () => {
    const { code, stdout, stderr } = await nexusctl("status");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ services: { nex: { state: "down" } } });
    expect(stderr).toBe("");
  });

  it("ends with 1 and the daemon's problem, unchanged, on a refusal", async () => {
    const problem =
      '{"type":"about:blank","title":"No","status":409,"detail":"Not \u202enow","code":"job_not_runnable"}';
    daemon.override = (_request, response) => {
      response.writeHead(409, { "content-type": "application/problem+json" }).end(problem);
      return true;
    };
    const { code, stdout, stderr } = await nexusctl("jobs", "run", "x");
    expect(code).toBe(1);
    expect(stdout).toBe(`${problem}\n`);
    expect(stderr).toBe("nexusctl: Not \\u{202e}now (job_not_runnable)\n");
  });

  it("ends with 1 and a problem of its own if the server is not nexusd", async () => {
    daemon.override = (_request, response) => {
      response.writeHead(502).end("<html>");
      return true;
    };
    const { code, stdout } = await here("status");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: "bad_answer", status: 502 });
  });

  it("ends with 1 if the daemon disappears in the middle of its answer", async () => {
    daemon.override = (_request, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write('{"half":', () => response.destroy());
      return true;
    };
    const { code, stdout } = await here("status");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: "connection_failed" });
  });

  it.each([
    ["no command", []],
    ["an unknown command", ["frobnicate"]],
    ["an unknown option", ["status", "--frobnicate"]],
    ["an argument too many", ["status", "now"]],
    ["a missing argument", ["jobs", "run"]],
    ["a number that is none", ["events", "--after", "-1"]],
    ["a type that is none", ["events", "--type", "Messaging.*"]],
  ])("ends with 2 and nothing on stdout for %s", async (_what, args) => {
    const { code, stdout, stderr } = await here(...args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).not.toBe("");
    expect(daemon.requests).toStrictEqual([]);
  });

  it("ends with 69 without a daemon, and names the socket and how to start one", async () => {
    const socket = join(daemon.dir, "none.sock");
    const { code, stdout, stderr } = await runCli([
      "status",
      "--socket",
      socket,
      "--config",
      "/x/nexusd.toml",
    ]);
    expect(code).toBe(69);
    expect(stderr).toBe(
      `nexusctl: No daemon at ${socket}. Start it with: bin/nexusd --config /x/nexusd.toml (no_daemon)\n`,
    );
    expect(JSON.parse(stdout)).toMatchObject({ code: "no_daemon" });
  });

  it("ends with 69 at a socket that a killed daemon left behind", async () => {
    const left = createFakeDaemon();
    const script = `require("node:net").createServer().listen(${JSON.stringify(left.socket)}, () => process.kill(process.pid, "SIGKILL"))`;
    await promisify(execFile)(process.execPath, ["-e", script]).catch(() => {});
    expect((await runCli(["--socket", left.socket, "status"])).code).toBe(69);
    await left.remove();
  });

  it("prints its version and its help, and ends with 0", async () => {
    const [version, help] = await Promise.all([nexusctl("--version"), nexusctl("--help")]);
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("69 no daemon") });
  });
});

describe("the socket", () => {
  it("comes from the option, else the environment, else the config", async () => {
    const config = join(daemon.dir, "nexusd.toml");
    writeFileSync(
      config,
      `[daemon]\ndata_dir = ${JSON.stringify(daemon.dir)}\n[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
    );
    const wrong = join(daemon.dir, "wrong.sock");
    const codes = await Promise.all([
      runHere(["status", "--socket", daemon.socket], undefined, { NEXUSD_AGENT_SOCKET: wrong }),
      runHere(["status"], undefined, { NEXUSD_AGENT_SOCKET: daemon.socket }),
      runHere(["status", "--config", config]),
      runHere(["status"], undefined, { NEXUSD_CONFIG: config }),
      runHere(["status", "--config", config], undefined, { NEXUSD_AGENT_SOCKET: wrong }),
      // operator.sock does not exist; agent.sock must not be used instead.
      runHere(["reload", "--config", config], undefined, { NEXUSD_AGENT_SOCKET: daemon.socket }),
      runHere(["reload"], undefined, { NEXUSD_OPERATOR_SOCKET: wrong }),
    ]);
    expect(codes.map(({ code }) => code)).toStrictEqual([0, 0, 0, 0, 69, 69, 69]);
    expect(codes[5]?.stderr).toContain("operator.sock");
  });

  it.skipIf(process.getuid?.() !== 0)(
    "is the operators' if this user may not use the agents', and a problem if both are closed (needs root)",
    async () => {
      chmodSync(daemon.dir, 0o755);
      const closed = join(daemon.dir, "closed.sock");
      const server = createServer().listen(closed);
      await once(server, "listening");
      chmodSync(closed, 0o600);
      chmodSync(daemon.socket, 0o666);
      const as = (agent: string, operator: string) =>
        runHere(["status"], undefined, { NEXUSD_AGENT_SOCKET: agent, NEXUSD_OPERATOR_SOCKET: operator });
      try {
        process.seteuid?.(65_534);
        expect((await as(closed, daemon.socket)).code).toBe(0);
        expect(await as(closed, closed)).toMatchObject({
          code: 1,
          stdout: expect.stringContaining("socket_forbidden"),
        });
      } finally {
        process.seteuid?.(0);
        server.close();
      }
    },
  );

  it.each([
    ["with values that are none", "[nexus]\nenabled = 1\n[messaging]\nfoo = 2\n", ""],
    ["that is no TOML elsewhere", "[nexus]\nenabled =\napi_key = sk-secret\n", "is not TOML, line 4"],
  ])("is found in a config %s, and nothing of the file is printed", async (_what, broken, notice) => {
    const config = join(daemon.dir, "wrong.toml");
    writeFileSync(config, `[daemon]\ndata_dir = ${JSON.stringify(daemon.dir)}\n${broken}`);
    const { code, stderr } = await runHere(["status", "--config", config]);
    expect(code).toBe(0);
    expect(stderr).toContain(notice);
    expect(stderr.split("\n")).toHaveLength(notice ? 2 : 1);
    expect(stderr).not.toContain("secret");
  });

  it("is the default one if the config does not set it, and a notice says so", async () => {
    const config = join(daemon.dir, "wrong.toml");
    writeFileSync(config, "[daemon]\ndata_dir = 7\n");
    const { stderr } = await runHere(["status", "--config", config]);
    expect(stderr).toMatch(/daemon\.data_dir must be a path .*using the sockets data\/agent\.sock/);
  });

  it("is not guessed if the config does not exist", async () => {
    const { code, stdout } = await runHere(["status", "--config", join(daemon.dir, "none.toml")]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: "invalid_config",
      errors: [{ message: "does not exist" }],
    });
  });

  it("must not be another kind of file", async () => {
    const file = join(daemon.dir, "file");
    writeFileSync(file, "");
    const { code, stderr } = await runHere(["status", "--socket", file]);
    expect(code).toBe(1);
    expect(stderr).toBe(`nexusctl: ${file} is there, but is not a socket. (not_a_socket)\n`);
  });
});

describe("a refusal", () => {
  const refused = async (problem: object, ...args: string[]) => {
    daemon.override = (_request, response) => {
      response.writeHead(400).end(JSON.stringify({ title: "No", status: 400, ...problem }));
      return true;
    };
    return (await here(...args)).stderr;
  };

  it("is printed once, with what its detail leaves out below it", async () => {
    const errors = [
      { path: "limit", message: "must be at least 1" },
      { path: "", line: 7, message: "is not TOML" },
      { path: "a.b", file: "x.toml", line: 8, message: "is unknown" },
    ];
    const detail = "limit must be at least 1";
    expect(await refused({ detail, code: "invalid_request", errors }, "events")).toBe(
      "nexusctl: limit must be at least 1 (invalid_request)\nnexusctl:   line 7: is not TOML\nnexusctl:   x.toml:8: a.b: is unknown\n",
    );
  });

  it("without a path has no empty placeholder for it", async () => {
    const errors = [{ path: "", message: "is not TOML: x" }];
    expect(await refused({ detail: "d", code: "invalid_config", errors }, "reload")).toBe(
      "nexusctl: d (invalid_config)\nnexusctl:   is not TOML: x\n",
    );
  });

  it("names commands, not the API's requests", async () => {
    const detail =
      "GET /v1/jobs lists them. GET /v1/operations (nexusctl operations) lists them. Use POST /v1/writes.";
    expect(await refused({ detail, code: "x" }, "status")).toBe(
      "nexusctl: nexusctl jobs lists them. nexusctl operations lists them. Use nexusctl write. (x)\n",
    );
  });
});

describe("the command that starts a daemon", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

  it("works when run from a checkout", () => {
    expect(startWith(undefined, root)).toBe("bin/nexusd");
    expect(startWith("a b.toml", root)).toBe("bin/nexusd --config 'a b.toml'");
    expect(startWith(undefined, "/")).toBe(`${root.slice(1)}/bin/nexusd`);
    expect(startWith(undefined, join(root, "src"))).toBe(`${root}/bin/nexusd`);
  });

  it("is npm start for the sandbox", () => {
    expect(startWith("config/sandbox.toml", root)).toBe("npm start");
    expect(startWith("../config/sandbox.toml", join(root, "src"))).toBe(`npm --prefix ${root} start`);
  });
});

describe("events", () => {
  beforeAll(() => {
    daemon.log = [];
    for (let i = 0; i < 1200; i++)
      daemon.appendRaw(`{"sequence":"${i + 1}","data":{"id":9007199254740993,"f":1.50}}`);
  });

  it("prints the oldest after N, one per line, exactly as stored, and how to continue", async () => {
    const { code, stdout, stderr } = await nexusctl("events", "--after", "2", "--limit", "3");
    expect(code).toBe(0);
    expect(stdout).toBe(daemon.log.slice(2, 5).join("\n").concat("\n"));
    expect(stderr).toBe("nexusctl: there are more: continue with --after 5, or use --follow\n");
  });

  it("reads as many pages as the limit needs, and prints nothing at the end of the log", async () => {
    const { stdout, stderr } = await here("events", "--limit", "5000");
    expect(stdout.trimEnd().split("\n")).toStrictEqual(daemon.log);
    expect(stderr).toBe("");
    expect(daemon.requests.length).toBeGreaterThan(1);
    expect(daemon.requests.at(-1)).toContain("epoch=epoch-a");
  });

  it("passes types to the daemon, and reports what retention removed", async () => {
    daemon.pruned = 10;
    const { stderr } = await here("events", "--limit", "1", "--type", "nex.*,a.b", "--type", "c");
    daemon.pruned = 0;
    expect(stderr).toContain("events 1 to 10 are missing");
    expect(daemon.requests[0]).toContain("type=nex.*&type=a.b&type=c");
  });

  it("ends quietly with 0 when the reader closes the pipe", async () => {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    const script = `"${process.execPath}" "${main}" --socket "${daemon.socket}" events --limit 5000 | head -n 1; echo "code \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)("bash", ["-c", script]);
    expect(stdout).toBe(`${daemon.log[0]}\ncode 0\n`);
    expect(stderr).toBe("");
  });
});
