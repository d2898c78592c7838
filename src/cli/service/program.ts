// The program as a service runs it: a copy owned by root, with everything it needs. A service cannot see a home or
// another /tmp, and its program must not change with the next "git pull".

import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface ProgramFile {
  source: string;
  /** In the copy. */
  path: string;
  isExecutable: boolean;
  size: number;
}

export interface Program {
  /** The origin of the copy, for a person: the checkout, or the package. */
  from: string;
  files: ProgramFile[];
  /** In the copy: the directory with bin/, systemd/ and docs/. */
  home: string;
  /** The Node.js that runs it: in the copy if relative. */
  node: string;
}

// The source itself is run only in a checkout.
const IS_SOURCE = import.meta.url.endsWith(".ts");
const PARTS = [
  "bin",
  "config",
  "docs",
  "systemd",
  "package.json",
  ...(IS_SOURCE ? ["src", "jobs"] : ["dist"]),
];

// Hidden by ProtectHome= and PrivateTmp= of the unit.
const HIDDEN = /^\/(?:home|root|run\/user|tmp|var\/tmp)\//;

/** The root of this nexusd's package or checkout. @throws if a part of it is missing */
export function packageRoot(start = dirname(fileURLToPath(import.meta.url))): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "systemd", "nexusd.service"))) return directory;
    if (directory === dirname(directory))
      throw new Error(`there is no systemd/nexusd.service in the package of ${start}`);
  }
}

/** @param root packageRoot() @param node the running Node.js @throws errors of the file system */
export function programIn(root = packageRoot(), node = realpathSync(process.execPath)): Program {
  const packages = dependencies(root);
  const own = join(dirname(dirname(node)), "package.json");
  // The npm package "node" is copied along; so is a Node.js that the service could not see.
  const isPackage = basename(dirname(dirname(node))) === "node" && existsSync(own);
  if (isPackage) packages.add(dirname(dirname(node)));
  // One level up if npm has put its dependencies beside it.
  const base = [root, ...packages].every((one) => inside(one, root)) ? root : outer(root);
  const isBelow = (path: string) => inside(path, base);
  const files = [
    ...PARTS.flatMap((part) => filesIn(join(root, part))),
    ...[...packages].filter(isBelow).flatMap((one) => filesIn(one, true)),
  ].map((file) => ({ ...file, path: relative(base, file.source) }));
  let runsOn = node;
  if (isPackage && isBelow(node)) runsOn = relative(base, node);
  else if (HIDDEN.test(node)) {
    files.push({ source: node, path: "node", isExecutable: true, size: lstatSync(node).size });
    runsOn = "node";
  }
  return { from: root, files, home: relative(base, root), node: runsOn };
}

const inside = (path: string, directory: string) =>
  path === directory || path.startsWith(`${directory}${sep}`);

/** The directory that contains a package's node_modules. */
function outer(root: string): string {
  const at = root.lastIndexOf(`${sep}node_modules${sep}`);
  return at < 0 ? root : root.slice(0, at) || sep;
}

/** The directories of all modules that a package needs, resolved like Node.js does. */
function dependencies(root: string): Set<string> {
  const found = new Set<string>();
  const visit = (directory: string) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(directory, "package.json"), "utf8"),
    ) as Record<string, Record<string, string>>; // written by npm
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = resolved(name, directory);
      if (place === undefined) {
        if (name in optionalDependencies) continue;
        throw new Error(`the module ${name}, which ${directory} needs, is not installed: run "npm ci" there`);
      }
      if (found.has(place)) continue;
      found.add(place);
      visit(place);
    }
  };
  visit(root);
  return found;
}

function resolved(name: string, from: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const place = join(directory, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return realpathSync(place);
    if (directory === dirname(directory)) return undefined;
  }
}

/** All plain files below a path. @param isModule skip its nested modules, which are found separately */
function filesIn(path: string, isModule = false): Omit<ProgramFile, "path">[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return [{ source: path, isExecutable: (stat.mode & 0o111) !== 0, size: stat.size }];
  if (!stat?.isDirectory()) return [];
  return readdirSync(path)
    .filter((name) => !(isModule && name === "node_modules"))
    .sort()
    .flatMap((name) => filesIn(join(path, name), isModule));
}
