-- The log, what jobs remember, who reads it, the writes and their audit log: what SQLite's schema has, in one.
-- Text compares byte by byte ("C"), as SQLite compares it. JSON is text: jsonb would write numbers and keys anew.

CREATE TABLE meta (
  key   TEXT COLLATE "C" PRIMARY KEY,
  value TEXT COLLATE "C" NOT NULL
);

-- The end of the log and of the audit log: the first row that every commit locks, so that sequences have no hole and
-- follow the order of commits. Small pages of it, since it is written by every commit.
CREATE TABLE head (
  is_only     BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_only),
  latest      BIGINT NOT NULL DEFAULT 0,
  oldest      BIGINT NOT NULL DEFAULT 1,
  audit_rows  BIGINT,
  audit_head  TEXT COLLATE "C",
  writes      TEXT COLLATE "C" NOT NULL DEFAULT '{}', -- JSON: how many writes are in each state
  open_writes BIGINT NOT NULL DEFAULT 0,
  open_bytes  BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

INSERT INTO head (audit_rows, audit_head) VALUES (0, repeat('0', 64));

-- The last commit of each node, by which it finds out what became of one whose answer was lost.
CREATE TABLE commits (
  node  TEXT COLLATE "C" PRIMARY KEY,
  token TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE events (
  sequence BIGINT PRIMARY KEY,
  id       TEXT COLLATE "C" NOT NULL, -- ULID, its time is the time of the commit
  source   TEXT COLLATE "C" NOT NULL,
  type     TEXT COLLATE "C" NOT NULL, -- with the prefix "nexusd."
  subject  TEXT COLLATE "C",
  time     TEXT COLLATE "C" NOT NULL, -- RFC 3339 UTC with milliseconds
  data     TEXT COLLATE "C" NOT NULL, -- JSON, never rewritten
  size     INTEGER NOT NULL           -- of the data, in characters as JavaScript counts them
);

CREATE INDEX events_by_type ON events (type, sequence);
-- A source can be longer than what an index takes.
CREATE INDEX events_by_source ON events (hashtextextended(source, 0), type, sequence);

-- The types of the events that are in the log or were.
CREATE TABLE event_types (type TEXT COLLATE "C" PRIMARY KEY);

CREATE TABLE cursors (
  source     TEXT COLLATE "C" PRIMARY KEY,
  value      TEXT COLLATE "C" NOT NULL, -- JSON
  updated_at TEXT COLLATE "C" NOT NULL
);

-- Each change of a record gets a number under the lock of the head, by which other nodes find it.
CREATE SEQUENCE record_changes;

CREATE TABLE records (
  kind       TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  value      TEXT COLLATE "C" NOT NULL, -- JSON
  updated_at TEXT COLLATE "C" NOT NULL,
  change     BIGINT NOT NULL DEFAULT nextval('record_changes'),
  writer     TEXT NOT NULL DEFAULT current_setting('application_name'), -- the node of the change
  PRIMARY KEY (kind, key)
);

CREATE INDEX records_by_change ON records (change);

-- Forgotten after a day: src/store/postgres/shared-records.ts.
CREATE TABLE removed_records (
  kind       TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  change     BIGINT NOT NULL DEFAULT nextval('record_changes'),
  writer     TEXT NOT NULL DEFAULT current_setting('application_name'),
  removed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, key)
);

CREATE INDEX removed_records_by_change ON removed_records (change);

-- Scope and key as 16 bytes of their SHA-256.
CREATE TABLE dedupe (
  digest   BYTEA PRIMARY KEY,
  seen_day INTEGER NOT NULL -- days since 1970 when it was last met
);

-- Encrypted: src/store/postgres/keyring.ts.
CREATE TABLE secrets (
  name  TEXT COLLATE "C" PRIMARY KEY,
  value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE consumers (
  name       TEXT COLLATE "C" PRIMARY KEY,
  position   BIGINT NOT NULL,
  types      TEXT COLLATE "C", -- JSON array of patterns; NULL: every type
  token_hash TEXT COLLATE "C", -- SHA-256 of the token without which no agent moves it
  created_at TEXT COLLATE "C" NOT NULL,
  updated_at TEXT COLLATE "C" NOT NULL
);

-- Everything ever said by the insight stream, found by time, type, confidence and words.
CREATE TABLE insights (
  sequence   BIGINT PRIMARY KEY, -- of its event
  at_ms      BIGINT NOT NULL,    -- its time
  time       TEXT COLLATE "C" NOT NULL,
  type       TEXT COLLATE "C",
  confidence DOUBLE PRECISION,
  content    TEXT COLLATE "C" NOT NULL, -- words parted by one blank, with one before the first and behind the last
  target     TEXT COLLATE "C" NOT NULL, -- the same
  words      TSVECTOR NOT NULL,         -- those of both, cut, without places: what the index finds by
  data       TEXT COLLATE "C",          -- JSON, only of those whose events were removed
  size       INTEGER NOT NULL           -- of the data, in characters
);

CREATE INDEX insights_by_time ON insights (at_ms DESC, sequence DESC);
CREATE INDEX insights_by_words ON insights USING gin (words);

CREATE TABLE writes (
  id              TEXT COLLATE "C" PRIMARY KEY, -- ULID, so that its order is that of the proposals
  operation       TEXT COLLATE "C" NOT NULL,
  service         TEXT COLLATE "C" NOT NULL,
  state           TEXT COLLATE "C" NOT NULL,
  request         TEXT COLLATE "C" NOT NULL, -- canonical JSON: the bytes that were approved
  digest          TEXT COLLATE "C" NOT NULL, -- SHA-256 of request
  preview         TEXT COLLATE "C" NOT NULL, -- JSON
  precondition    TEXT COLLATE "C",
  target          TEXT COLLATE "C" NOT NULL,
  idempotent      INTEGER NOT NULL,
  destructive     INTEGER NOT NULL,
  approval        TEXT COLLATE "C" NOT NULL,
  reason          TEXT COLLATE "C",
  agent           TEXT COLLATE "C",
  idempotency_key TEXT COLLATE "C",
  account         TEXT COLLATE "C", -- JSON
  token_hash      TEXT COLLATE "C",
  proposed_at     TEXT COLLATE "C" NOT NULL,
  expires_at      TEXT COLLATE "C" NOT NULL,
  shown_at        TEXT COLLATE "C",
  decided_at      TEXT COLLATE "C",
  decided_by      TEXT COLLATE "C", -- JSON
  signed_by       TEXT COLLATE "C", -- JSON
  note            TEXT COLLATE "C",
  executing_at    TEXT COLLATE "C",
  finished_at     TEXT COLLATE "C",
  attempts        INTEGER NOT NULL,
  result          TEXT COLLATE "C", -- JSON
  outcome         TEXT COLLATE "C",
  body_removed_at TEXT COLLATE "C",
  approval_order  BIGINT -- the sequence of the audit row of its approval
);

CREATE INDEX writes_by_state ON writes (state, id);
-- A target can be longer than what an index takes.
CREATE INDEX writes_by_target ON writes (hashtextextended(target, 0), id);
CREATE INDEX writes_by_operation ON writes (operation, id);
CREATE UNIQUE INDEX writes_by_idempotency_key ON writes (idempotency_key, operation, coalesce(agent, ''))
WHERE idempotency_key IS NOT NULL;
CREATE INDEX writes_rejected ON writes (digest, decided_at) WHERE state = 'rejected';
CREATE INDEX writes_waiting ON writes (approval_order) WHERE state = 'approved';
CREATE INDEX writes_with_body ON writes (coalesce(finished_at, decided_at, proposed_at), id)
WHERE body_removed_at IS NULL AND state IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved');

CREATE TABLE audit (
  sequence      BIGINT PRIMARY KEY, -- from 1, without a hole
  at            TEXT COLLATE "C" NOT NULL,
  action        TEXT COLLATE "C" NOT NULL,
  write_id      TEXT COLLATE "C" NOT NULL,
  digest        TEXT COLLATE "C" NOT NULL,
  via           TEXT COLLATE "C" NOT NULL,
  "user"        TEXT COLLATE "C",
  signer        TEXT COLLATE "C",
  detail        TEXT COLLATE "C" NOT NULL, -- canonical JSON
  covers        TEXT COLLATE "C",
  previous_hash TEXT COLLATE "C" NOT NULL,
  hash          TEXT COLLATE "C" NOT NULL -- SHA-256 over all of the above: src/contract/audit.ts
);

CREATE INDEX audit_by_write ON audit (write_id, sequence);
CREATE INDEX audit_marks ON audit (action, sequence) WHERE action IN ('checkpoint', 'pruned');

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', tg_argv[0] USING ERRCODE = 'restrict_violation'; END $$;

CREATE TRIGGER writes_keep_what_was_proposed
BEFORE UPDATE OF id, operation, service, digest, target, idempotent, destructive, approval, reason, agent,
  idempotency_key, proposed_at, expires_at, account, token_hash ON writes
FOR EACH ROW EXECUTE FUNCTION refuse('what was proposed is never changed');

CREATE TRIGGER writes_keep_their_body BEFORE UPDATE OF request, preview, precondition, body_removed_at ON writes
FOR EACH ROW WHEN (old.body_removed_at IS NOT NULL OR new.body_removed_at IS NULL
  OR new.request <> '' OR new.precondition IS NOT NULL
  OR old.state NOT IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved'))
EXECUTE FUNCTION refuse('what was proposed is never changed, and only removed where it is finished');

CREATE FUNCTION writes_are_kept_with_their_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF old.state IN ('proposed', 'approved', 'executing', 'unknown')
    OR EXISTS (SELECT FROM audit WHERE write_id = old.id) THEN
    RAISE EXCEPTION
      'a write is never removed before it is finished and its rows of the audit log are gone'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN old;
END $$;

CREATE TRIGGER writes_are_kept_with_their_record BEFORE DELETE ON writes
FOR EACH ROW EXECUTE FUNCTION writes_are_kept_with_their_record();

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('the audit log is append-only');

CREATE TRIGGER audit_checkpoints_are_signed_off BEFORE INSERT ON audit
FOR EACH ROW WHEN (new.action = 'checkpoint' AND new.via <> 'operator.sock')
EXECUTE FUNCTION refuse('only an operator signs off the audit log');

-- What an operator signed off may go, and only behind the row that tells of it.
CREATE FUNCTION audit_is_pruned_to_a_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (new.detail::json ->> 'to')::bigint > coalesce((
    SELECT (detail::json ->> 'to')::bigint FROM audit WHERE action = 'checkpoint' ORDER BY sequence DESC LIMIT 1), 0)
  THEN
    RAISE EXCEPTION 'the audit log is append-only beyond what an operator signed off'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN new;
END $$;

CREATE TRIGGER audit_is_pruned_to_a_checkpoint BEFORE INSERT ON audit
FOR EACH ROW WHEN (new.action = 'pruned') EXECUTE FUNCTION audit_is_pruned_to_a_checkpoint();

CREATE FUNCTION audit_is_only_pruned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM removed WHERE sequence > coalesce((
    SELECT (detail::json ->> 'to')::bigint FROM audit WHERE action = 'pruned' ORDER BY sequence DESC LIMIT 1), 0))
  THEN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_is_only_pruned AFTER DELETE ON audit
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION audit_is_only_pruned();
