// Why an operator's command for a sink was refused.

/** Its message is for the person who asked, and ends with what to do. */
export class SinkError extends Error {
  override readonly name = "SinkError";
  readonly code:
    | "sink_not_found"
    | "sink_elsewhere"
    | "sink_busy"
    | "sink_paused"
    | "nothing_pending"
    | "too_many_wakes";
  readonly retryAfterMs: number | undefined;

  constructor(code: SinkError["code"], message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
