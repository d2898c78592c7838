/** Faults that a test injects into a stand-in: what they are, which request takes which, and who waits for their end. */

import { object } from "./input.ts";

const kinds = ["drop", "stall", "status", "html", "cut", "duplicate", "slow-body"] as const;

/**
 * One way to misbehave. The fault that was added first and matches is taken first.
 *
 * - `drop`: the connection is destroyed instead of an answer.
 * - `stall`: no answer, not even headers, until the faults are cleared (or `ms` have passed).
 * - `slow-body`: headers at once, the body only when the faults are cleared (or `ms` have passed).
 * - `status`: this `status` with `headers` and the JSON `body`; without `body` the service's own error for it.
 * - `html`: the HTML page of a proxy, 502 unless `status` says otherwise.
 * - `cut`: the connection is destroyed after `afterBytes` of the body (half of it; a stream: at once).
 * - `duplicate`: a page or event that has something to deliver delivers it twice.
 */
export interface Fault {
  kind: (typeof kinds)[number];
  /** `METHOD /path-prefix`, or any part of `METHOD /path?query`; every request when absent. */
  match?: string;
  /** How many requests take it: 1 when absent, -1 for all of them until cleared. */
  times?: number;
  /** `drop`, `stall`, `status`, `html`: the request is carried out all the same, only its answer is lost. */
  afterHandling?: boolean;
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  afterBytes?: number;
  ms?: number;
}

export interface FaultBox {
  add(fault: Fault): void;
  /** Forgets every fault and lets go of every request that one of them holds. */
  clear(): void;
  /** What is still to come, `times` counted down. */
  list(): Fault[];
  /** The fault that this request (`METHOD /path?query`) has to suffer, used up by one. Never a `duplicate`. */
  take(label: string): Fault | undefined;
  /** Whether this page or event is to be delivered twice; asked only when there is something to deliver. */
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

/** Reads a fault out of JSON from outside. Throws an Error that names the wrong field. */
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
