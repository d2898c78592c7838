// Writes the pages for man(1) from what --help and the annotated configuration say: node docs/man.ts DIRECTORY
// $SOURCE_DATE_EPOCH is the time that they bear; without it they bear none.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CommandNode, treeOf } from "../src/cli/command-tree.ts";
import { wholeProgram } from "../src/cli/commands.ts";
import { readVersion } from "../src/config/version.ts";
import { CONFIG_PLACES, WAYS } from "../src/daemon/usage.ts";
import { configPage } from "./man-config.ts";
import { item, type Page, paragraph, render, roff, section, subsection, texts } from "./roff.ts";

const ENVIRONMENT = [
  section("ENVIRONMENT"),
  item("NEXUSD_AGENT_SOCKET, NEXUSD_OPERATOR_SOCKET", "the sockets, where --socket names none"),
  item("NEXUSD_TOKEN", "the token of what is bound to who made it, where --token names no other source"),
  item("NEXUSD_CONFIG", "the configuration, where --config names none"),
  item("NEXUSD_NODE", "the Node.js to run on, where the one on the PATH is not meant"),
];

const FILES = [
  section("FILES"),
  item("/etc/nexusd/nexusd.toml", "the configuration"),
  item("/run/nexusd/agent.sock, /run/nexusd/operator.sock", "the sockets, where systemd makes them"),
  item("/var/lib/nexusd", "the data, where systemd makes its place"),
];

/** The name and the text of every page. */
export async function manPages(date: string): Promise<Map<string, string>> {
  const root = treeOf(await wholeProgram());
  const annotated = readFileSync(new URL("../config/nexusd.toml", import.meta.url), "utf8");
  const commands = root.commands.filter(({ path }) => path[0] !== "help");
  const pages = [
    daemonPage(),
    configPage(annotated),
    rootPage(root),
    ...commands.map((one) => commandPage(one, root)),
  ];
  return new Map(pages.map((page) => [`${page.name}.${page.section}`, render(page, readVersion(), date)]));
}

function daemonPage(): Page {
  return {
    name: "nexusd",
    section: 8,
    summary: "watches NexusMessaging, Nex and Nexus for agents",
    body: [
      section("SYNOPSIS"),
      ...WAYS.flatMap(([way], index) => [...(index > 0 ? [".br"] : []), `\\fBnexusd\\fR ${roff(way)}`]),
      section("DESCRIPTION"),
      paragraph(
        "A daemon that keeps three services watched while no agent is running, writes everything it sees to a durable log, and gives agents a Unix socket to read that log and to propose writes, which are executed only once confirmed.",
      ),
      ...WAYS.filter(([, what]) => what !== "").map(([way, what]) => item(`nexusd ${way}`, what)),
      ".PP",
      paragraph(CONFIG_PLACES),
      section("SIGNALS"),
      item("SIGHUP", "read the configuration again; an invalid one changes nothing"),
      item("SIGTERM, SIGINT", "end the work in flight and stop"),
      section("EXIT STATUS"),
      item("0", "stopped by a signal, or the configuration has no problem"),
      item("1", "it cannot start or go on, or the configuration has problems"),
      item("2", "wrong usage"),
      item("70", "a defect of nexusd"),
      section("ENVIRONMENT"),
      item("NEXUSD_CONFIG", "the configuration, where --config names none"),
      item("CREDENTIALS_DIRECTORY", "where the secrets with source credential are; systemd sets it"),
      item("NEXUSD_NODE", "the Node.js to run on, where the one on the PATH is not meant"),
      ...FILES,
      seeAlso(["nexusctl(1)", "nexusd.toml(5)", "systemctl(1)"]),
    ],
  };
}

function rootPage(root: CommandNode): Page {
  return {
    name: "nexusctl",
    section: 1,
    summary: "the command line of nexusd",
    body: [
      section("SYNOPSIS"),
      `\\fBnexusctl\\fR ${roff(root.usage)}`,
      section("DESCRIPTION"),
      paragraph("Every command has a page of its own: nexusctl-status(1), and so on."),
      section("COMMANDS"),
      ...root.commands.map(({ path, usage, description }) => item(`${path.join(" ")} ${usage}`, description)),
      section("OPTIONS"),
      ...root.options.map(({ flags, description }) => item(flags, description)),
      section("NOTES"),
      ...root.notes
        .split("\n")
        .flatMap((line) => [paragraph(line), ".PP"])
        .slice(0, -1),
      ...ENVIRONMENT,
      ...FILES,
      seeAlso([
        ...root.commands.flatMap(({ path }) => (path[0] === "help" ? [] : [`nexusctl-${path[0]}(1)`])),
        "nexusd(8)",
        "nexusd.toml(5)",
      ]),
    ],
  };
}

function commandPage(node: CommandNode, root: CommandNode): Page {
  return {
    name: `nexusctl-${node.path.join("-")}`,
    section: 1,
    summary: node.description,
    body: [
      section("SYNOPSIS"),
      ...calls(node).flatMap(({ path, usage }, index) => [
        ...(index > 0 ? [".br"] : []),
        `\\fBnexusctl ${roff(path.join(" "))}\\fR ${roff(usage)}`,
      ]),
      ...(node.commands.length > 0
        ? [section("COMMANDS"), ...node.commands.flatMap((one) => subcommand(one, node))]
        : []),
      ...lists(node, node.commands.length > 0 ? ["--help"] : [], [section("OPTIONS")]),
      ...(node.notes ? [section("NOTES"), ...texts(node.notes.split("\n"))] : []),
      section("GLOBAL OPTIONS"),
      ...root.options
        .filter(({ names }) => !names.includes("--version") && !names.includes("--help"))
        .map(({ flags, description }) => item(flags, description)),
      section("EXIT STATUS"),
      paragraph("As of every command: see nexusctl(1)."),
      seeAlso(["nexusctl(1)", "nexusd(8)"]),
    ],
  };
}

/** What can be called: the command itself, or what it leads to. */
const calls = (node: CommandNode): CommandNode[] =>
  node.commands.length === 0 ? [node] : node.commands.flatMap(calls);

function subcommand(node: CommandNode, parent: CommandNode): string[] {
  const isDefault = parent.defaultCommand === node.path.at(-1);
  return [
    subsection(`${node.path.join(" ")} ${node.usage}`),
    paragraph(`${node.description}${isDefault ? "; the one that is meant where none is named" : ""}`),
    ...lists(node, ["--help"]),
    ...(node.notes ? [".PP", ...texts(node.notes.split("\n"))] : []),
    ...node.commands.flatMap((one) => subcommand(one, node)),
  ];
}

/** Its arguments and options, under a heading where it has any. */
function lists(node: CommandNode, without: string[], heading: string[] = []): string[] {
  const options = node.options.filter(({ names }) => !names.some((name) => without.includes(name)));
  const all = [
    ...node.arguments
      .filter(({ description }) => description !== "")
      .map(({ name, description }) => item(name, description)),
    ...options.map(({ flags, description }) => item(flags, description)),
  ];
  return all.length > 0 ? [...heading, ...all] : [];
}

const seeAlso = (pages: string[]): string =>
  [
    section("SEE ALSO"),
    ...pages.map((page, index) => {
      const [, name = "", number] = /^(.+)\((\d)\)$/.exec(page) ?? [];
      return `.BR ${roff(name)} (${number})${index < pages.length - 1 ? "," : ""}`;
    }),
  ].join("\n");

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) {
    process.stderr.write("usage: node docs/man.ts DIRECTORY\n");
    process.exit(2);
  }
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const date = epoch ? new Date(Number(epoch) * 1000).toISOString().slice(0, 10) : "";
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of await manPages(date)) writeFileSync(join(directory, name), text);
}
