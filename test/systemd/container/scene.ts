// What every check of the container gets.

import type { Container } from "./container.ts";
import type { Machine } from "./machine.ts";
import type { Report } from "./report.ts";
import type { Sandbox } from "./sandbox.ts";

export interface Scene {
  report: Report;
  machine: Machine & Container;
  sandbox: Sandbox;
  /** Paths of the Debian packages in the container. */
  packages: { older: string; current: string };
}
