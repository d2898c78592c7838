// Where each runtime keeps its skills and its MCP servers, and what to put there.

import { homedir } from "node:os";
import { join, resolve } from "node:path";

export interface Target {
  /** Its name for a person. */
  name: string;
  /** The directory of skills. */
  skills: string;
  /** The file with the MCP servers, and the path to them in it. */
  config: string;
  servers: readonly string[];
  /** The default consumer. */
  consumer: string;
  /** What has to happen before it takes effect. */
  next: string;
}

export interface Chosen {
  openclaw?: true;
  claudeCode?: true;
  dir?: string;
}

/** The chosen ones, in this order. */
export function targetsOf({ openclaw, claudeCode, dir }: Chosen, env: NodeJS.ProcessEnv): Target[] {
  const home = env.HOME || homedir();
  return [
    ...(openclaw ? [openClaw(home, env)] : []),
    ...(claudeCode ? [claude(home, env)] : []),
    ...(dir === undefined ? [] : [directory(resolve(dir))]),
  ];
}

function openClaw(home: string, env: NodeJS.ProcessEnv): Target {
  const state = env.OPENCLAW_STATE_DIR || join(home, ".openclaw");
  return {
    name: "OpenClaw",
    skills: join(state, "skills"),
    config: env.OPENCLAW_CONFIG_PATH || join(state, "openclaw.json"),
    servers: ["mcp", "servers"],
    consumer: "openclaw",
    next: "OpenClaw loads it in its next session; restart the gateway to load it now",
  };
}

function claude(home: string, env: NodeJS.ProcessEnv): Target {
  const own = env.CLAUDE_CONFIG_DIR;
  return {
    name: "Claude Code",
    skills: join(own || join(home, ".claude"), "skills"),
    config: join(own || home, ".claude.json"),
    servers: ["mcpServers"],
    consumer: "claude-code",
    next: "Claude Code loads it in its next session",
  };
}

const directory = (path: string): Target => ({
  ...{ name: path, skills: path, config: join(path, "nexusd", "mcp.json"), servers: ["mcpServers"] },
  consumer: "agent",
  next: `give your runtime the content of ${join(path, "nexusd", "mcp.json")}`,
});
