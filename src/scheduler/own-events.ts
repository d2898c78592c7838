// The events of own jobs: checked against the job's declaration before anything is committed.

import { isOwnType } from "../contract/event-names.ts";
import type { NewEvent } from "../contract/new-event.ts";
import type { Observation, Store } from "../contract/store.ts";
import { explainValue } from "../core/explain-issue.ts";
import { nearest } from "../core/text/nearest.ts";
import type { Job } from "./job.ts";

/** The store as the job receives it. A job that declares no types gets the store itself. */
export function storeFor({ name, events }: Job, store: Store): Store {
  if (!events) return store;
  const checked = ({ type, data, ...rest }: NewEvent): NewEvent => {
    const declared = Object.hasOwn(events, type) ? events[type] : undefined;
    if (!declared) {
      if (isOwnType(type))
        throw new TypeError(`event ${type}: ${undeclared(type, Object.keys(events), name)}`);
      return { type, data, ...rest } as NewEvent; // unchanged: nexusd's own types are checked by the compiler
    }
    const parsed = declared.data.safeParse(data, { error: explainValue });
    if (parsed.success) return { type, data: parsed.data, ...rest } as NewEvent; // of a type that only the job knows
    const faults = parsed.error.issues.map(
      ({ path, message }) => `${["data", ...path].join(".")} ${message}`,
    );
    throw new TypeError(`event ${type} of the job ${name}: ${faults.join("; ")}`);
  };
  return {
    ...store,
    async commitObservation(observation: Observation) {
      const { events: logged, ...rest } = observation;
      return await store.commitObservation({ ...rest, ...(logged && { events: logged.map(checked) }) });
    },
  };
}

function undeclared(type: string, declared: string[], job: string): string {
  const [meant] = nearest(type, declared);
  return `is not among the events of the job ${job}${meant === undefined ? "" : `; did you mean "${meant}"?`}`;
}

/** The types that these jobs declare, without prefix. */
export const ownEventTypes = (jobs: readonly Job[]): string[] => [
  ...new Set(jobs.flatMap(({ events = {} }) => Object.keys(events))),
];
