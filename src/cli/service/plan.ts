// What "nexusctl service" would do, as a list: nothing here changes anything.

import { dirname } from "node:path";
import { SERVICES } from "../../services/list.ts";

/** One step. Paths are those of the system that nexusd is installed in. */
export type Step =
  | { do: "copy"; to: string; from: string; files: number; bytes: number }
  | { do: "write"; path: string; content: string; mode: number; owner: Owner }
  | { do: "link"; path: string; target: string }
  | { do: "remove"; path: string }
  | { do: "run"; command: string[] };

export type Owner = "root" | "nexusd";
type Write = Extract<Step, { do: "write" }>;
type Link = Extract<Step, { do: "link" }>;

export const PROGRAM = "/usr/local/lib/nexusd";
export const UNIT_DIRECTORY = "/etc/systemd/system";
export const UNITS = ["nexusd-agent.socket", "nexusd-operator.socket", "nexusd.service"];
const TEMPLATES = ["nexusd-agent@.socket", "nexusd-operator@.socket", "nexusd@.service"];
export const CONFIG = "/etc/nexusd/nexusd.toml";
const LINKS = { nexusd: "/usr/local/bin/nexusd", nexusctl: "/usr/local/bin/nexusctl" };
const COMPLETIONS = {
  bash: "/usr/local/share/bash-completion/completions/nexusctl",
  zsh: "/usr/local/share/zsh/site-functions/_nexusctl",
  fish: "/usr/local/share/fish/vendor_completions.d/nexusctl.fish",
};

/** In the first line of every file that may be overwritten later: a file without it belongs to the user. */
export const MARK = "# Written by: nexusctl service install.";

/** What the files are made from. */
export interface Sources {
  /** The text of a file in systemd/. */
  unit(name: string): string;
  completion(shell: keyof typeof COMPLETIONS): string;
  /** In the copy: the package, and its Node.js. Absolute. */
  home: string;
  node: string;
}

/** The parts of an installed nexusd, besides its program. */
export function wanted({ unit, completion, home, node }: Sources): {
  files: Write[];
  config: Write;
  links: Link[];
} {
  const adapted = (name: string) =>
    unit(name)
      .replaceAll("/usr/share/doc/nexusd/", `${home}/docs/`)
      .replaceAll("=/usr/bin/nexusctl", `=${home}/bin/nexusctl`)
      .replace(
        /^ExecStart=\/usr\/bin\/nexusd/m,
        `Environment=NEXUSD_NODE=${node}\nExecStart=${home}/bin/nexusd`,
      );
  const file = (path: string, text: string): Write => {
    // zsh recognizes its functions by their first line.
    const [head, rest] = text.startsWith("#compdef")
      ? [text.slice(0, text.indexOf("\n") + 1), text.slice(text.indexOf("\n") + 1)]
      : ["", text];
    return { do: "write", path, content: `${head}${MARK}\n${rest}`, mode: 0o644, owner: "root" };
  };
  return {
    files: [
      ...[...UNITS, ...TEMPLATES].map((name) => file(`${UNIT_DIRECTORY}/${name}`, adapted(name))),
      ...["sysusers.d", "tmpfiles.d"].map((kind) =>
        file(`/etc/${kind}/nexusd.conf`, unit(`${kind}/nexusd.conf`)),
      ),
      ...(["bash", "zsh", "fish"] as const).map((shell) => file(COMPLETIONS[shell], completion(shell))),
    ],
    // It may contain session ids, which are secrets.
    config: { do: "write", path: CONFIG, content: unit("nexusd.toml"), mode: 0o600, owner: "nexusd" },
    links: Object.entries(LINKS).map(([name, path]) => ({ do: "link", path, target: `${home}/bin/${name}` })),
  };
}

/** Every file that an installation may write and an uninstallation removes. */
export const written = (): string[] => [
  ...[...UNITS, ...TEMPLATES].map((name) => `${UNIT_DIRECTORY}/${name}`),
  "/etc/sysusers.d/nexusd.conf",
  "/etc/tmpfiles.d/nexusd.conf",
  ...Object.values(COMPLETIONS),
];

/** The current state: `service` is undefined if systemd does not run on the target system (--root). */
export interface Facts {
  /** The wanted steps that are not done yet. */
  pending: Step[];
  hasUser: boolean;
  hasConfig: boolean;
  areEnabled: boolean;
  root: string;
  service: ServiceFacts | undefined;
}

export interface ServiceFacts {
  needsReload: boolean;
  isActive: boolean;
  /** It still runs the old program, or has the old units. */
  isStale: boolean;
}

/** The remaining steps, in order. Empty: none. */
export function installation(
  { pending, hasUser, hasConfig, areEnabled, root, service }: Facts,
  config: Write,
): Step[] {
  const run = (...command: string[]): Step => ({ do: "run", command });
  const changes = (name: string) => pending.some((step) => step.do === "write" && step.path.startsWith(name));
  const sysusers = "/etc/sysusers.d/";
  const steps = [...pending];
  const inRoot = root === "/" ? [] : [`--root=${root}`];
  if (!hasUser || changes(sysusers)) steps.push(run("systemd-sysusers", ...inRoot, "nexusd.conf"));
  if (!hasConfig) steps.push(config);
  if (service && (!hasUser || changes("/etc/tmpfiles.d/") || !service.isActive))
    steps.push(run("systemd-tmpfiles", "--create", "nexusd.conf"));
  if (service && (service.needsReload || changes(UNIT_DIRECTORY)))
    steps.push(run("systemctl", "daemon-reload"));
  if (!areEnabled) steps.push(run("systemctl", ...inRoot, "enable", ...UNITS));
  if (service) {
    const isChanged =
      service.isStale || changes(UNIT_DIRECTORY) || pending.some((step) => step.do === "copy");
    const sockets = UNITS.filter((name) => name.endsWith(".socket"));
    const areSocketsChanged = sockets.some((name) => changes(`${UNIT_DIRECTORY}/${name}`));
    // A socket cannot be reopened while its service holds it.
    if (service.isActive && areSocketsChanged) steps.push(run("systemctl", "stop", ...UNITS));
    if (!service.isActive || areSocketsChanged) steps.push(run("systemctl", "start", ...sockets));
    // Requests meanwhile wait at the sockets, which stay open.
    if (!service.isActive || isChanged) steps.push(run("systemctl", "restart", "nexusd.service"));
  }
  return steps;
}

/** @param present those of `written()` that exist, and the links, the program and, to purge, the rest */
export function removal({
  present,
  units,
  root,
  isRunning,
}: {
  present: string[];
  /** Enabled or existing: the three units, and instances. */
  units: string[];
  root: string;
  isRunning: boolean;
}): Step[] {
  const run = (...command: string[]): Step => ({ do: "run", command });
  return [
    ...(units.length > 0
      ? [
          isRunning
            ? run("systemctl", "disable", "--now", ...units)
            : run("systemctl", `--root=${root}`, "disable", ...units),
        ]
      : []),
    ...present.map((path): Step => ({ do: "remove", path })),
    ...(isRunning && present.some((path) => dirname(path) === UNIT_DIRECTORY)
      ? [run("systemctl", "daemon-reload")]
      : []),
  ];
}

/** Removed with --purge: data, compiled code, configuration and secrets. */
export const PURGED = [
  "/var/lib/nexusd",
  "/var/cache/nexusd",
  "/run/nexusd",
  CONFIG,
  `${UNIT_DIRECTORY}/nexusd.service.d`,
  ...SERVICES.flatMap(({ name, secrets }) =>
    secrets.map((key) => `${name}-${key.replaceAll("_", "-")}`),
  ).flatMap((name) => [`/etc/credstore/nexusd.${name}`, `/etc/credstore.encrypted/nexusd.${name}`]),
];

export const linkPaths = (): string[] => Object.values(LINKS);

/** A step as text for a person. */
export function described(step: Step): string {
  switch (step.do) {
    case "copy":
      return `copy    ${step.from} to ${step.to} (${step.files} files, ${Math.round(step.bytes / 1_000_000)} MB, root:root)`;
    case "write":
      return `write   ${step.path} (${step.mode.toString(8).padStart(4, "0")} ${step.owner}:${step.owner})`;
    case "link":
      return `link    ${step.path} to ${step.target}`;
    case "remove":
      return `remove  ${step.path}`;
    case "run":
      return `run     ${step.command.join(" ")}`;
  }
}
