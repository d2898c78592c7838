/** Faults that a test injects into a stand-in: their kinds, which request takes which, and waiting for their end. */

import { object } from "./input.ts";

const kinds = ["drop", "stall", "status", "html", "cut", "duplicate", "slow-body"] as const;

/**
 * One way to misbehave. Of several matching faults, the one that was added first is taken first.
 *
 * - `drop`: the connection is destroyed instead of an answer.
 * - `stall`: no answer, not even headers, until the faults are cleared (or `ms` have passed).
 * - `slow-body`: headers at once, the body only when the faults are cleared (or `ms` have passed).
 * - `status`: this `status` with `headers` and the JSON `body`; without `body` the service's own error for it.
 * - `html`: the HTML page of a proxy, 502 unless `status` is given.
 * - `cut`: the connection is destroyed after `afterBytes` of the body (default: half of it; a stream: at once).
 * - `duplicate`: a page or event with content is delivered twice.
 */
export interface Fault {
  kind: (typeof kinds)[number];
  /** `METHOD /path-prefix`, or any part of `METHOD /path?query`; default: every request. */
  match?: string;
  /** How many requests take it: default 1, -1 for all of them until cleared. */
  times?: number;
  /** `drop`, `stall`, `status`, `html`: the request is still carried out, only its answer is lost. */
  afterHandling?: boolean;
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  afterBytes?: number;
  ms?: number;
}

export interface FaultBox {
  add(fault: Fault): void;
  /** Removes every fault and releases every request that one of them holds. */
  clear(): void;
  /** The remaining faults, `times` counted down. */
  list(): Fault[];
  /** The fault for this request (`METHOD /path?query`), counted down by one. Never a `duplicate`. */
  take(label: string): Fault | undefined;
  /** Whether to deliver this page or event twice; called only if there is something to deliver. */
  takeDuplicate(label: string): boolean;
  /** Resolves when the faults are cleared, or after `ms`. */
  held(ms: number | undefined): Promise<void>;
}

export function faultBox(): FaultBox {
  let pending: Fault[] = [];
  const holds = new Set<() => void>();

  function takeFirst(label: string, wanted: (fault: Fault) => boolean): Fault | undefined {
    const fault = pending.find((f) => wanted(f) && label.includes(f.match ?? ""));
    if (fault?.times !== undefined && fault.times > 0) {
      fault.times -= 1;
      if (fault.times === 0) pending = pending.filter((f) => f !== fault);
    }
    return fault;
  }

  return {
    add(fault) {
      const checked = parseFault(fault);
      pending.push({ ...checked, times: checked.times ?? 1 });
    },
    clear() {
      pending = [];
      for (const release of holds) release();
    },
    list: () => pending.map((fault) => ({ ...fault })),
    take: (label) => takeFirst(label, (fault) => fault.kind !== "duplicate"),
    takeDuplicate: (label) => takeFirst(label, (fault) => fault.kind === "duplicate") !== undefined,
    held(ms) {
      return new Promise((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(release, ms);
        function release() {
          clearTimeout(timer);
          holds.delete(release);
          resolve();
        }
        holds.add(release);
      });
    },
  };
}

/** Parses a fault from external JSON. Throws an Error that names the wrong field. */
export function parseFault(value: unknown): Fault {
  const input = object(value, "fault");
  const kind = kinds.find((k) => k === input.kind);
  if (kind === undefined) throw new Error(`fault.kind must be one of ${kinds.join(", ")}`);
  const fault: Fault = { kind };
  for (const [key, field] of Object.entries(input)) {
    if (field === undefined || key === "kind") continue;
    if (key === "body") fault.body = field;
    else if (key === "match" && typeof field === "string") fault.match = field;
    else if (key === "afterHandling" && typeof field === "boolean") fault.afterHandling = field;
    else if (key === "headers") fault.headers = strings(field);
    else if (isNumberField(key) && typeof field === "number" && Number.isInteger(field)) fault[key] = field;
    else throw new Error(`fault.${key} is not a field of a fault, or not of the right type`);
  }
  if (fault.times !== undefined && fault.times !== -1 && fault.times < 1) {
    throw new Error("fault.times must be -1 or at least 1");
  }
  if (fault.kind === "status" && fault.status === undefined) throw new Error("fault.status is missing");
  return fault;
}

function isNumberField(key: string): key is "times" | "status" | "afterBytes" | "ms" {
  return key === "times" || key === "status" || key === "afterBytes" || key === "ms";
}

function strings(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(object(value, "fault.headers")).map(([k, v]) => [k, String(v)]));
}
