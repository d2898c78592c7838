// Every refusal and failure of the API: its code, status, title and remedy. Without zod, so that a client that only
// compares codes loads nothing else.

export const PROBLEMS = {
  invalid_request: {
    status: 400,
    title: "The request is not valid",
    remedy: "See `errors`: each wrong field by its path.",
  },
  invalid_json: {
    status: 400,
    title: "The body is not JSON",
    remedy: "Send valid JSON: UTF-8, no duplicate members, no unpaired surrogates.",
  },
  invalid_input: {
    status: 400,
    title: "The input is not valid for this operation",
    remedy: "See `errors`; `nexusctl help read OPERATION` shows what the operation takes.",
  },
  not_a_read: { status: 400, title: "The operation is not a read", remedy: "Propose it: `POST /v1/writes`." },
  not_a_write: {
    status: 400,
    title: "The operation is not a write",
    remedy: "Call it as a read: `POST /v1/reads`.",
  },
  signature_malformed: {
    status: 400,
    title: "This is not an SSH signature",
    remedy: "Send the whole output of `ssh-keygen -Y sign -n nexusd-decision`.",
  },
  statement_malformed: {
    status: 400,
    title: "This is not a statement",
    remedy: "Send the text of `GET /v1/writes/{id}/statement`, byte for byte.",
  },
  forbidden_origin: {
    status: 403,
    title: "Not a local client",
    remedy: "Use a client that sends no `Origin` or `Referer`, and the host `localhost`.",
  },
  operator_only: { status: 403, title: "Only operators may do this", remedy: "Send it to operator.sock." },
  plan_limit_exceeded: {
    status: 403,
    title: "The service's plan is used up",
    remedy: "The organization's plan at the service does not allow more of this.",
  },
  policy_denied: {
    status: 403,
    title: "The policy denies this operation",
    remedy: "`[approvals.policy]` of the configuration denies the operation.",
  },
  signature_bad: {
    status: 403,
    title: "The signature does not match this statement",
    remedy:
      "Sign the statement exactly as it is sent: another text was signed, or one of the two was changed.",
  },
  signature_required: {
    status: 403,
    title: "The approval requires a signature",
    remedy:
      "The policy requires signatures: `nexusctl writes sign ID --key FILE`. An operator can reject it.",
  },
  signature_wrong_key: {
    status: 403,
    title: "The key does not belong to this signer",
    remedy: "Sign with a key that the file of signers (`approvals.signers`) lists for this name.",
  },
  signature_wrong_namespace: {
    status: 403,
    title: "The signature was made for something else",
    remedy: "Sign with `-n nexusd-decision`; `namespaces` of the file of signers must allow it.",
  },
  signer_not_allowed: {
    status: 403,
    title: "This signer may not decide this operation",
    remedy: "`[approvals.policy]` says who may.",
  },
  signer_not_valid_now: {
    status: 403,
    title: "The signer's key is not valid now",
    remedy: "See `valid-after` and `valid-before` in the file of signers, or the dates of the certificate.",
  },
  signer_unknown: {
    status: 403,
    title: "No such signer",
    remedy: "The file of signers (`approvals.signers`) has no such name.",
  },
  token_required: {
    status: 403,
    title: "A token is required",
    remedy: "Send the token that was returned when it was created, or ask an operator.",
  },
  not_found: { status: 404, title: "No such resource", remedy: "See `GET /openapi.json` for the paths." },
  consumer_not_found: {
    status: 404,
    title: "No such consumer",
    remedy: "Create it: `PUT /v1/consumers/{name}`.",
  },
  job_not_found: { status: 404, title: "No such job", remedy: "`GET /v1/jobs` lists the jobs." },
  operation_not_found: {
    status: 404,
    title: "No such operation",
    remedy: "`GET /v1/operations` lists the operations; `detail` names the nearest ones.",
  },
  audit_row_not_found: {
    status: 404,
    title: "The audit log has no such row",
    remedy: "`GET /v1/audit` lists the rows.",
  },
  row_not_found: {
    status: 404,
    title: "The service has no such row",
    remedy: "The service has no such row, or this API key may not see it.",
  },
  session_not_found: {
    status: 404,
    title: "No such session",
    remedy: "`GET /v1/messaging/sessions` lists the sessions.",
  },
  sink_not_found: {
    status: 404,
    title: "No such sink",
    remedy: "`GET /v1/sinks` lists the sinks; `detail` names the nearest ones, or all.",
  },
  write_not_found: { status: 404, title: "No such write", remedy: "`GET /v1/writes` lists the writes." },
  method_not_allowed: { status: 405, title: "Method not allowed", remedy: "See the header `Allow`." },
  request_timeout: {
    status: 408,
    title: "The request did not arrive in time",
    remedy: "Send the whole request within 30 s.",
  },
  ambiguous_session: {
    status: 409,
    title: "More than one session matches",
    remedy: "Use the whole session id.",
  },
  ack_out_of_order: {
    status: 409,
    title: "The consumer was not given these events yet",
    remedy:
      "`detail` says up to which event it was served: read on and acknowledge those, or reset the consumer with `PUT`.",
  },
  audit_broken: {
    status: 409,
    title: "The audit log was changed",
    remedy:
      "`nexusctl audit verify` says what was changed; before anything else, keep a copy of the database.",
  },
  digest_mismatch: {
    status: 409,
    title: "The digest does not match",
    remedy: "The write has another digest: read it again, and check what it asks for.",
  },
  idempotency_conflict: {
    status: 409,
    title: "The idempotency key belongs to another write",
    remedy: "The write `writeId` has this key but another input: use another key.",
  },
  nothing_pending: {
    status: 409,
    title: "Nothing is pending",
    remedy: "There is nothing to wake for; `POST /v1/sinks/{name}/test` sends a test wake anyway.",
  },
  operation_refused: {
    status: 409,
    title: "The operation is not possible now",
    remedy: "`detail` says why.",
  },
  recently_rejected: {
    status: 409,
    title: "The same write was rejected recently",
    remedy: "See `rejection`: propose something else, or wait.",
  },
  sink_busy: {
    status: 409,
    title: "A wake is in progress",
    remedy: "Only one at a time: wait until it has ended.",
  },
  not_a_fleet: {
    status: 409,
    title: "There are no other nodes",
    remedy: '`[store] kind = "postgres"` lets several nodes share a database; docs/fleet.md has the steps.',
  },
  sink_elsewhere: {
    status: 409,
    title: "Another node runs the sink",
    remedy: "`detail` names the node: ask nexusd there.",
  },
  sink_paused: {
    status: 409,
    title: "The sink is paused",
    remedy: "Resume it first: `POST /v1/sinks/{name}/resume`.",
  },
  service_disabled: {
    status: 409,
    title: "The service is disabled",
    remedy: "Enable the service in the configuration.",
  },
  signers_not_configured: {
    status: 409,
    title: "No signer may decide here",
    remedy: "Set `approvals.signers`, and a policy that accepts signatures.",
  },
  stale: {
    status: 409,
    title: "The account has changed since the proposal",
    remedy: "The key or the origin has changed since: propose it again.",
  },
  statement_expired: {
    status: 409,
    title: "The statement has expired",
    remedy: "Have the write proposed again, and sign the new statement.",
  },
  statement_mismatch: {
    status: 409,
    title: "The statement does not match this write",
    remedy: "Fetch the statement again and compare: it was changed in transit, or belongs to another write.",
  },
  statement_other_epoch: {
    status: 409,
    title: "The statement belongs to another database",
    remedy: "Fetch the statement from the daemon that has the write.",
  },
  statement_other_write: {
    status: 409,
    title: "The statement is about another write",
    remedy: "Send it to the write that it names.",
  },
  statement_used: {
    status: 409,
    title: "This signer has already decided it",
    remedy: "There is nothing left to do: each signer and each key counts once.",
  },
  statement_version: {
    status: 409,
    title: "The statement has another version",
    remedy: "Fetch the statement again, and sign that.",
  },
  write_already_decided: {
    status: 409,
    title: "The write has already been decided",
    remedy: "See `decision`.",
  },
  write_expired: { status: 409, title: "The write has expired", remedy: "Propose it again." },
  write_not_unknown: {
    status: 409,
    title: "The outcome of the write is known",
    remedy: "Only a write whose outcome is unknown can be resolved.",
  },
  cursor_ahead: {
    status: 409,
    title: "The position is beyond the end of the log",
    remedy: "The log ends before this position: it was restored from a backup. Start again.",
  },
  epoch_changed: {
    status: 409,
    title: "The log was replaced",
    remedy: "The database was replaced: start again with `after=0`.",
  },
  job_not_runnable: {
    status: 409,
    title: "The job cannot run now",
    remedy: "The job is paused, disabled, invalid, or runs all the time.",
  },
  consumer_exists: {
    status: 412,
    title: "The consumer already exists",
    remedy: "It keeps its position. Omit `If-None-Match` to reset it.",
  },
  body_too_large: {
    status: 413,
    title: "The body is too large",
    remedy: "`detail` has the limit and the size.",
  },
  proposal_too_large: {
    status: 413,
    title: "The proposal is too large",
    remedy: "`limits.proposal_bytes`: propose less at once.",
  },
  preview_too_long: {
    status: 413,
    title: "The preview is too long to be approved",
    remedy: "`limits.preview_lines`: a preview that cannot be shown whole cannot be approved.",
  },
  too_many_types: {
    status: 413,
    title: "Too many event types for one consumer",
    remedy: "`limits.consumer_types`: use patterns.",
  },
  uri_too_long: { status: 414, title: "The path is too long", remedy: "Name the resource by its id." },
  unsupported_media_type: {
    status: 415,
    title: "The body must be JSON",
    remedy: "Send `content-type: application/json`.",
  },
  expectation_failed: {
    status: 417,
    title: "The expectation cannot be met",
    remedy: "Do not send the header `Expect`.",
  },
  invalid_config: {
    status: 422,
    title: "The configuration is not valid",
    remedy: "See `errors`; the old configuration stays.",
  },
  secret_in_text: {
    status: 422,
    title: "The text contains a secret",
    remedy: "See `errors` for its place and kind. Nothing was stored or sent; remove it.",
  },
  too_many_answer_bytes: {
    status: 429,
    title: "Too many unread answers",
    remedy: "`limits.answer_bytes`: read the answers that are waiting.",
  },
  too_many_connections: {
    status: 429,
    title: "Too many connections",
    remedy: "`limits.connections`: close connections, or use fewer.",
  },
  too_many_consumers: {
    status: 429,
    title: "Too many consumers",
    remedy: "`limits.consumers`: delete unused ones.",
  },
  too_many_long_polls: {
    status: 429,
    title: "Too many waiting requests",
    remedy: "`limits.long_polls`: wait in fewer requests.",
  },
  too_many_open_proposals: {
    status: 429,
    title: "Too many open writes",
    remedy: "`limits.open_proposals`, `limits.open_proposal_bytes`: wait until some are decided.",
  },
  too_many_reads: {
    status: 429,
    title: "Too many reads at once",
    remedy: "`limits.reads`: wait until some have finished.",
  },
  too_many_request_bytes: {
    status: 429,
    title: "Too many request bodies at once",
    remedy: "`limits.request_bytes`: send fewer bodies at once.",
  },
  too_many_requests: {
    status: 429,
    title: "Too many requests at once",
    remedy: "`limits.expensive_requests`: wait as long as `Retry-After` says.",
  },
  too_many_streams: {
    status: 429,
    title: "Too many event streams",
    remedy: "`limits.streams`: share one stream.",
  },
  too_many_verifications: {
    status: 429,
    title: "Too many signatures wait to be verified",
    remedy: "Wait as long as `Retry-After` says.",
  },
  too_many_wakes: {
    status: 429,
    title: "The sink was woken too often",
    remedy: "`max_wakes_per_hour` of the sink: wait as long as `Retry-After` says.",
  },
  headers_too_large: { status: 431, title: "The headers are too large", remedy: "Send smaller headers." },
  internal_error: { status: 500, title: "Internal error", remedy: "See the daemon's log." },
  tool_failed: {
    status: 502,
    title: "The tool of the service failed",
    remedy: "The tool of the service's MCP server reported a failure; `detail` has its message.",
  },
  service_error: {
    status: 502,
    title: "The service failed",
    remedy: "See `serviceCode` and `serviceStatus`.",
  },
  service_busy: {
    status: 503,
    title: "The service is busy",
    remedy:
      "The service, or nexusd's request budget for it, accepts no more requests now: wait as long as `Retry-After` says.",
  },
  service_unavailable: {
    status: 503,
    title: "The service is unavailable",
    remedy: "Something that the request needs is not known yet, or nexusd is stopping: try again.",
  },
  unknown_socket: {
    status: 503,
    title: "Not one of nexusd's sockets",
    remedy: "systemd passed this socket to nexusd, and it is neither the agents' nor the operators'.",
  },
  signers_file_insecure: {
    status: 503,
    title: "The file of signers is not trusted",
    remedy:
      "`approvals.signers`: only root and the user of nexusd may be able to write to it; `detail` says what to do.",
  },
  signers_file_missing: {
    status: 503,
    title: "The file of signers is missing",
    remedy: "Create it at the path in `approvals.signers`.",
  },
  signers_file_unreadable: {
    status: 503,
    title: "The file of signers cannot be read",
    remedy: "`approvals.signers`: let the user of nexusd read it.",
  },
  ssh_keygen_failed: {
    status: 503,
    title: "ssh-keygen failed",
    remedy: "Try again; `detail` has its error.",
  },
  ssh_keygen_missing: {
    status: 503,
    title: "ssh-keygen is missing",
    remedy: "Install OpenSSH's client (`openssh-client`) where the daemon runs.",
  },
  store_unavailable: {
    status: 503,
    title: "The database cannot be used",
    remedy: "`detail` ends with the remedy.",
  },
  service_timeout: {
    status: 504,
    title: "The service did not answer in time",
    remedy: "The service did not answer in time: try again later.",
  },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;
export type ProblemStatus = (typeof PROBLEMS)[ProblemCode]["status"];
