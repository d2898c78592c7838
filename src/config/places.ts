// Obstacles at the configured paths of nexusd's own files, as found now.

import { lstatSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { socketPaths, type socketProblems } from "./sockets.ts";

/** What would keep the daemon from starting. Paths that this user may not inspect are left to the daemon. */
export const placeProblems: typeof socketProblems = (config) => {
  const dataDir = config.daemon.data_dir;
  const paths = socketPaths(config);
  const problems = [];
  if (kindAt(nearestThatExists(dataDir)) === "other")
    problems.push({
      path: ["daemon", "data_dir"],
      value: dataDir,
      message: "must be a directory, and a file is in the way",
    });
  for (const role of ["agent", "operator"] as const) {
    const place = { path: ["control", `${role}_socket`], value: paths[role] };
    const directory = dirname(paths[role]);
    const there = kindAt(paths[role], lstatSync);
    if (there === "directory" || there === "other")
      problems.push({ ...place, message: "must be the path of a socket, and something else is there" });
    else if (kindAt(directory) === "nothing" && !isMadeAtStart(directory, dataDir))
      problems.push({ ...place, message: `must be in a directory that exists: mkdir -p ${directory}` });
  }
  return problems;
};

type Kind = "nothing" | "directory" | "socket" | "other" | "unknown";

function kindAt(path: string, stat: typeof statSync | typeof lstatSync = statSync): Kind {
  try {
    const there = stat(path, { throwIfNoEntry: false });
    if (there === undefined) return "nothing";
    return there.isDirectory() ? "directory" : there.isSocket() ? "socket" : "other";
  } catch {
    return "unknown";
  }
}

function nearestThatExists(path: string): string {
  let nearest = resolve(path);
  while (kindAt(nearest) === "nothing" && dirname(nearest) !== nearest) nearest = dirname(nearest);
  return nearest;
}

/** The data directory is created with its parents; directories below /run are created by systemd at each start. */
const isMadeAtStart = (directory: string, dataDir: string) =>
  `${resolve(dataDir)}${sep}`.startsWith(`${resolve(directory)}${sep}`) ||
  resolve(directory).startsWith("/run/");
