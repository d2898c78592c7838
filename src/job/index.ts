// nexusd/job: what a job file of one's own imports. Everything public is here, and nothing else is.

export { z } from "zod";
export type { EventsOf, OwnEventTable } from "../contract/event.ts";
export type { EventData, EventName } from "../contract/events.ts";
export type { Dedupe, EventOf, NewEvent } from "../contract/new-event.ts";
export { defineJob, type Job, type JobContext, type JobStore } from "../services/job.ts";
