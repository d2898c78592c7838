// The status view: services, jobs, sinks and nodes, each with its state and its problems.

import type { ComponentChildren } from "preact";
import type { StatusView } from "../../../contract/api/status.ts";
import { Said } from "../lib/text.tsx";
import { ago, duration } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import { status } from "../stores/connection.ts";
import { Heading } from "./heading.tsx";

export function Running() {
  const read = status.value;
  return (
    <section class="running">
      <Heading>Running</Heading>
      {!read && <p class="empty">Reading what runs…</p>}
      {read && (
        <>
          <p class="aside">
            nexusd {read.version}, up for {duration(now.value - Date.parse(read.startedAt))}; the log has
            events {read.log.oldest} to {read.log.latest}.
          </p>
          {read.store.lastError && <Problem said={read.store.lastError} />}
          <Services services={read.services} />
          <Jobs jobs={read.jobs} />
          <Sinks sinks={read.sinks} />
          <Nodes node={read.node} nodes={read.nodes} />
        </>
      )}
    </section>
  );
}

const Services = ({ services }: { services: StatusView["services"] }) => (
  <Table title="Services" columns={["Service", "State", "Last success", "Attention"]}>
    {Object.entries(services).map(([name, { state, lastSuccessAt, lastError, attention = [], note }]) => (
      <tr key={name}>
        <th scope="row">{name}</th>
        <td>
          <State state={state} />
        </td>
        <td>{ago(lastSuccessAt, now.value) || "never"}</td>
        <td>
          {note && <Said text={note} />}
          {state !== "ok" && lastError && <Problem said={lastError} />}
          {attention.map(({ code, detail, remedy }) => (
            <p key={code} class="problem">
              <Said text={`${detail} ${remedy}`} />
            </p>
          ))}
        </td>
      </tr>
    ))}
  </Table>
);

const Jobs = ({ jobs }: { jobs: StatusView["jobs"] }) => (
  <Table title="Jobs" columns={["Job", "State", "Last success", "Next run", "Last error"]}>
    {jobs.map(({ name, state, node, description, lastSuccessAt, nextRunAt, lastError }) => (
      <tr key={name}>
        <th scope="row">
          {name}
          <span class="aside">{description}</span>
        </th>
        <td>
          <State state={state} />
          {state === "standby" && node && <span class="aside">{node} runs it</span>}
        </td>
        <td>{ago(lastSuccessAt, now.value) || "never"}</td>
        <td>{until(nextRunAt)}</td>
        <td>{lastError && <Problem said={lastError} />}</td>
      </tr>
    ))}
  </Table>
);

function Sinks({ sinks }: { sinks: StatusView["sinks"] }) {
  if (sinks.length === 0) return null;
  return (
    <Table title="Sinks" columns={["Sink", "State", "Pending", "Last wake", "Read", "Last error"]}>
      {sinks.map((sink) => (
        <tr key={sink.name}>
          <th scope="row">
            {sink.name}
            <span class="aside">{sink.kind}</span>
          </th>
          <td>
            <State state={sink.pausedBy ? "paused" : sink.state} />
          </td>
          <td>{`${sink.pending}${sink.isMore ? " or more" : ""}`}</td>
          <td>{ago(sink.lastWakeAt, now.value) || "never"}</td>
          <td>{ago(sink.lastAcknowledgedAt, now.value) || "never"}</td>
          <td>{sink.failing && sink.lastError && <Problem said={sink.lastError} />}</td>
        </tr>
      ))}
    </Table>
  );
}

function Nodes({ node: own, nodes }: Pick<StatusView, "node" | "nodes">) {
  // A single node is the daemon itself.
  if (nodes.length < 2) return null;
  return (
    <Table title="Nodes" columns={["Node", "State", "Started", "Last seen", "Holds"]}>
      {nodes.map(({ name, version, state, startedAt, seenAt, leases }) => (
        <tr key={name}>
          <th scope="row">
            {name}
            <span class="aside">{name === own ? `${version}, answers here` : version}</span>
          </th>
          <td>
            <State state={state} />
          </td>
          <td>{ago(startedAt, now.value)}</td>
          <td>{ago(seenAt, now.value)}</td>
          <td>{leases.map(({ resource }) => resource.replace(/^job:/, "")).join(", ")}</td>
        </tr>
      ))}
    </Table>
  );
}

/** A table that becomes a list of cards on narrow screens. */
const Table = ({ title, columns, children }: TableProps) => (
  <>
    <h2>{title}</h2>
    <div class="wide">
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  </>
);

interface TableProps {
  title: string;
  columns: readonly string[];
  children: ComponentChildren;
}

const GOOD = new Set(["ok", "quiet", "due", "waiting", "up"]);
const OFF = new Set(["disabled", "paused", "starting", "standby", "draining"]);

const State = ({ state }: { state: string }) => (
  <span class={`dot ${GOOD.has(state) ? "good" : OFF.has(state) ? "off" : "bad"}`}>{state}</span>
);

const Problem = ({
  said: { code, message, at },
}: {
  said: { code: string; message: string; at: string };
}) => (
  <p class="problem">
    <Said text={`${code}: ${message}`} /> ({ago(at, now.value)})
  </p>
);

const until = (at: string | null): string =>
  at === null ? "" : `in ${duration(Date.parse(at) - now.value)}`;
