import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createRedactor, REDACTED } from "../../src/core/redaction.ts";
import { chooseFormat, createLog, type LogOptions } from "../../src/daemon/log.ts";
import { HttpError } from "../../src/http/errors.ts";

const SESSION = "0123456789abcdef".repeat(3);

async function logInto(format: LogOptions["format"], level: LogOptions["level"] = "info") {
  const lines: string[] = [];
  const redactor = createRedactor();
  const destination = { write: (line: string) => void lines.push(line) };
  const log = await createLog({ level, format, env: {}, redactor, destination });
  return { log, lines, redactor };
}

const failure = () =>
  new Error("the job failed", {
    cause: new HttpError({
      kind: "status",
      service: "nex",
      label: "GET /v1/insights",
      message: "nex GET /v1/insights: 503",
      code: "http_503",
      retryable: true,
      maybeSent: true,
      headers: { "set-cookie": "cookie-of-the-answer" },
      body: "body-of-the-answer",
      cause: new TypeError("other side closed"),
    }),
  });

describe("one fact is one line", () => {
  test("JSON: level in words, time, facts, message", async () => {
    const { log, lines } = await logInto("json");
    log.child({ service: "messaging" }).info({ sessionId: SESSION, cursor: "57" }, "messages received");
    log.debug("not at this level");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      service: "messaging",
      sessionId: "012345…",
      cursor: "57",
      msg: "messages received",
    });
  });

  test("journal: priority, words, facts", async () => {
    const { log, lines } = await logInto("journal", "trace");
    log.fatal("f");
    log.error({ job: "nex-insights" }, "failed\nand broke");
    log.warn("w");
    log.info({ n: 1 });
    log.debug("d");
    log.trace("t");
    expect(lines).toEqual([
      "<2>f\n",
      '<3>failed\\nand broke {"job":"nex-insights"}\n',
      "<4>w\n",
      '<6>{"n":1}\n',
      "<7>d\n",
      "<7>t\n",
    ]);
  });

  test("pretty: time of day, level, words, facts", async () => {
    const { log, lines } = await logInto("pretty");
    log.warn({ job: "nex-insights" }, "failed");
    expect(lines).toEqual([
      expect.stringMatching(/^\[\d\d:\d\d:\d\d\] WARN: failed \{"job":"nex-insights"\}\n$/),
    ]);
  });
});

describe("an error is logged", () => {
  test("as type, message, code and causes in words, without a stack, headers or a body", async () => {
    const { log, lines } = await logInto("json");
    const error = failure();
    log.error({ err: error }, "job failed");
    log.error({ err: error.cause }, "request failed");
    expect(lines.map((line) => JSON.parse(line).err)).toEqual([
      {
        type: "Error",
        message: "the job failed",
        causes: ["HttpError: nex GET /v1/insights: 503", "TypeError: other side closed"],
      },
      {
        type: "HttpError",
        message: "nex GET /v1/insights: 503",
        code: "http_503",
        causes: ["TypeError: other side closed"],
      },
    ]);
    expect(lines.join()).not.toContain("of-the-answer");
  });

  test("with its stack at debug and trace, even if the level is changed at run time", async () => {
    const { log, lines } = await logInto("json");
    log.error(failure());
    log.level = "debug";
    log.error(failure());
    expect(lines.map((line) => typeof JSON.parse(line).err.stack)).toEqual(["undefined", "string"]);

    const pretty = await logInto("pretty", "trace");
    pretty.log.error({ err: failure() }, "job failed");
    expect(pretty.lines.join("").split("\n")[2]).toMatch(/^ {4}at /);
  });

  test("even if two errors cause each other, or if it is not an error", async () => {
    const { log, lines } = await logInto("json");
    const a = new Error("a");
    a.cause = new AggregateError([a], "b");
    log.error({ err: a });
    log.error({ err: "thrown text" });
    expect(JSON.parse(lines[0] ?? "").err.causes).toHaveLength(5);
    expect(JSON.parse(lines[1] ?? "").err).toBe("thrown text");
  });
});

describe.each(["json", "pretty", "journal"] as const)("no secret appears in a line: %s", (format) => {
  test("wherever in the line it was placed", async () => {
    const { log, lines, redactor } = await logInto(format, "trace");
    const known = 'known"secret\\value';
    redactor.add(known);
    redactor.add("8812345678");
    const cause = new Error(`cause with ${known}`);
    log.child({ [known]: known }).info(`text with ${known}`);
    log.info({ deep: [{ value: known }], key: `nxs_ak_${"a1".repeat(24)}`, number: 8_812_345_678 });
    log.error(new Error(`error with ${known}`, { cause }));
    log.error({ err: new Error(`error with ${known}`, { cause }) }, "failed for %s", SESSION);
    log.info({ authorization: "Basic abc", "X-Session-Key": "short", nested: { access_token: "t0" } });
    log.info({
      sessionId: "0f8fad5b-d9cb-469f-a165-70867728950e",
      payload: JSON.stringify({ inner: known }),
    });
    const text = lines.join("");
    expect(lines).toHaveLength(6);
    for (const secret of [
      "known",
      "secret\\\\value",
      SESSION,
      "Basic abc",
      '"short"',
      '"t0"',
      "0f8fad5b-",
      "881234",
    ])
      expect(text).not.toContain(secret);
    expect(text).toContain(REDACTED);
  });

  test("nor does a character that controls a terminal or forges a line", async () => {
    const { log, lines } = await logInto(format, "trace");
    const evil = "\u001b[31mred\u0007\r\n<0>forged \u009b2J\u202e\u2028";
    log.child({ binding: evil }).warn({ value: evil, [evil]: 1, err: new Error(evil) }, evil);
    const text = lines.join("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/);
    const wanted = format === "json" ? /^\{.*\}$/ : format === "journal" ? /^<4>/ : /^(\[| {4}\S)/;
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(wanted);
  });
});

describe("the format depends on where stderr leads", () => {
  test("the journal if JOURNAL_STREAM names this very file, else JSON", () => {
    const path = join(mkdtempSync(join(tmpdir(), "nexusd-log-")), "stream");
    const fd = openSync(path, "w");
    const { dev, ino } = statSync(path);
    expect(chooseFormat({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe("journal");
    expect(chooseFormat({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, fd)).toBe("json");
    expect(chooseFormat({}, fd)).toBe("json");
    closeSync(fd);
    expect(chooseFormat({ JOURNAL_STREAM: `${dev}:${ino}` }, fd)).toBe("json");
  });

  const program = `
    import { createLog } from ${JSON.stringify(new URL("../../src/daemon/log.ts", import.meta.url))};
    import { createRedactor } from ${JSON.stringify(new URL("../../src/core/redaction.ts", import.meta.url))};
    const log = await createLog({ level: "info", format: "auto", env: process.env, redactor: createRedactor() });
    process.stdin.once("data", () => {
      for (let i = 0; i < 1000; i++) log.info({ i, padding: "x".repeat(500) }, "line");
      process.exit(7);
    });
    console.log("ready");
  `;
  const start = (stderr: "pipe" | number) =>
    spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["pipe", "pipe", stderr] });

  test("logs go to stderr only, complete and in order, up to the last line before the exit", async () => {
    const path = join(mkdtempSync(join(tmpdir(), "nexusd-log-")), "stderr");
    const child = start(openSync(path, "w"));
    let stdout = "";
    child.stdout?.on("data", (chunk) => {
      stdout += chunk;
      child.stdin?.write("go");
    });
    const [code] = await once(child, "close");
    expect({ code, stdout }).toEqual({ code: 7, stdout: "ready\n" });
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).i)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  test("a log reader that disappears does not stop the daemon", async () => {
    const child = start("pipe");
    await once(child.stdout ?? child, "data");
    child.stderr?.destroy();
    child.stdin?.write("go");
    const [code, signal] = await once(child, "close");
    expect({ code, signal }).toEqual({ code: 7, signal: null });
  });
});
