// The process, under the names that all Prometheus clients use, if there is one.

import { readdirSync } from "node:fs";
import { single } from "../../contract/metric.ts";
import type { Metric } from "./metric.ts";

export const processMetrics: readonly Metric[] = [
  {
    type: "gauge",
    name: "nexusd_build_info",
    help: "Always 1; the labels name what runs.",
    labels: ["version", "node_version"],
    samples: ({ version }) => [{ value: 1, labels: { version, node_version: process.versions.node } }],
  },
  single(
    "gauge",
    "process_start_time_seconds",
    "When the process began, in seconds since 1970.",
    () => performance.timeOrigin / 1000,
  ),
  single("counter", "process_cpu_seconds_total", "Processor time spent, user and system.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
  single("gauge", "process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss()),
  single("gauge", "process_open_fds", "Open file descriptors (Linux).", openDescriptors),
  single(
    "gauge",
    "nodejs_heap_size_used_bytes",
    "Memory of JavaScript objects.",
    () => process.memoryUsage().heapUsed,
  ),
  single(
    "gauge",
    "nodejs_eventloop_lag_seconds",
    "How late the event loop was for its next turn at this scrape.",
    ({ loopLagMs }) => loopLagMs / 1000,
  ),
  single(
    "counter",
    "nexusd_event_loop_busy_seconds_total",
    "Time in which the event loop worked instead of waiting; its rate is the share of the one thread that is in use.",
    () => performance.eventLoopUtilization().active / 1000,
  ),
  single(
    "counter",
    "nexusd_log_lines_dropped_total",
    "Log lines that were dropped because nobody read them.",
    ({ droppedLogLines }) => droppedLogLines,
  ),
];

function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
