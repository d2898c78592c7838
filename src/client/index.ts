// nexusd/client: the public API for programs that use the daemon. Everything public is here, and nothing else.

export type { LogGap } from "../contract/api/events.ts";
export type { JobStatus } from "../contract/api/jobs.ts";
export type { OperationView as Operation, ReadAnswer } from "../contract/api/operations.ts";
export type { SinkStatus, SinkTest } from "../contract/api/sinks.ts";
export type { HealthView as Health, StatusView as Status } from "../contract/api/status.ts";
export type { SessionView as Session } from "../contract/api/views.ts";
export type { ShownWrite, WriteView as Write } from "../contract/api/writes.ts";
export type { EventData, EventName } from "../contract/events.ts";
export type { ProblemCode } from "../contract/problem-codes.ts";
export { isDone, isFinal, type WriteState } from "../contract/writes.ts";
export { type Client, type ClientOptions, createClient } from "./client.ts";
export type { Consumers, EventPage, Placement, ProcessOptions } from "./consumers.ts";
export { type ErrorCode, isNexusdError, isPassing, NexusdError, type Problem } from "./error.ts";
export type { EventsOptions, LogEvent, LogNotice, TypePattern } from "./events.ts";
export { answerOf, type CallControl } from "./request.ts";
export type { Answer, Role } from "./transport.ts";
export type { FinalOptions, ProposalInput, ProposeOptions, Writes } from "./writes.ts";
