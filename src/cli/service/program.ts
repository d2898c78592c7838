// The program as a service is given it: a copy that is root's, with all it needs to run. A service sees no home and no
// other /tmp, and what it runs must not change under it with the next "git pull".

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
  /** What is copied, as a person knows it: the checkout, or the package. */
  from: string;
  files: ProgramFile[];
  /** In the copy: the directory with bin/, systemd/ and docs/. */
  home: string;
  /** The Node.js it is to run on: in the copy where relative. */
  node: string;
}

// The source is run itself only in a checkout.
const IS_SOURCE = import.meta.url.endsWith(".ts");
const PARTS = [
  "bin",
  "config",
  "docs",
  "systemd",
  "package.json",
  ...(IS_SOURCE ? ["src", "jobs"] : ["dist"]),
];

// What ProtectHome= and PrivateTmp= of the unit hide.
const HIDDEN = /^\/(?:home|root|run\/user|tmp|var\/tmp)\//;

/** Where this nexusd was installed or checked out. @throws where a part of it is missing */
export function packageRoot(start = dirname(fileURLToPath(import.meta.url))): string {
  for (let directory = start; ; directory = dirname(directory)) {
    if (existsSync(join(directory, "systemd", "nexusd.service"))) return directory;
    if (directory === dirname(directory))
      throw new Error(`there is no systemd/nexusd.service in the package of ${start}`);
  }
}

/** @param root packageRoot() @param node the Node.js that runs now @throws what the file system says */
export function programIn(root = packageRoot(), node = realpathSync(process.execPath)): Program {
  const packages = dependencies(root);
  const own = join(dirname(dirname(node)), "package.json");
  // The npm package "node" comes along; so does a Node.js that the service could not see.
  const isPackage = basename(dirname(dirname(node))) === "node" && existsSync(own);
  if (isPackage) packages.add(dirname(dirname(node)));
  // Beside it where npm has put its modules beside it.
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

/** The directory whose node_modules a package is in. */
function outer(root: string): string {
  const at = root.lastIndexOf(`${sep}node_modules${sep}`);
  return at < 0 ? root : root.slice(0, at) || sep;
}

/** The directories of all modules that a package needs, found as Node.js finds them. */
function dependencies(root: string): Set<string> {
  const found = new Set<string>();
  const visit = (directory: string) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(directory, "package.json"), "utf8"),
    ) as Record<string, Record<string, string>>; // what npm has installed by it
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

/** All plain files below a path. @param isModule leave out the modules inside it, which are found by themselves */
function filesIn(path: string, isModule = false): Omit<ProgramFile, "path">[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return [{ source: path, isExecutable: (stat.mode & 0o111) !== 0, size: stat.size }];
  if (!stat?.isDirectory()) return [];
  return readdirSync(path)
    .filter((name) => !(isModule && name === "node_modules"))
    .sort()
    .flatMap((name) => filesIn(join(path, name), isModule));
}
