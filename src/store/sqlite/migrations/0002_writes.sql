-- Proposed writes with all that became of them, and the audit log. Nothing ever removes a row of either.

CREATE TABLE writes (
  id              TEXT NOT NULL PRIMARY KEY, -- ULID, so that its order is that of the proposals
  operation       TEXT NOT NULL,
  service         TEXT NOT NULL,
  state           TEXT NOT NULL,
  request         TEXT NOT NULL, -- canonical JSON: the bytes that were approved
  digest          TEXT NOT NULL, -- SHA-256 of request
  preview         TEXT NOT NULL, -- JSON
  precondition    TEXT,
  target          TEXT NOT NULL,
  idempotent      INTEGER NOT NULL,
  destructive     INTEGER NOT NULL,
  approval        TEXT NOT NULL,
  reason          TEXT,
  agent           TEXT,
  idempotency_key TEXT,
  proposed_at     TEXT NOT NULL, -- RFC 3339 UTC with milliseconds, as all times here
  expires_at      TEXT NOT NULL,
  shown_at        TEXT,
  decided_at      TEXT,
  decided_by      TEXT, -- JSON
  note            TEXT,
  executing_at    TEXT,
  finished_at     TEXT,
  attempts        INTEGER NOT NULL,
  result          TEXT, -- JSON
  outcome         TEXT,
  approval_order  INTEGER -- the sequence of the audit row of its approval, so that it only ever grows
) STRICT;

-- With the expiry, so that those past it are found among the proposed ones by the index alone.
CREATE INDEX writes_by_state ON writes (state, id, expires_at);
CREATE UNIQUE INDEX writes_by_idempotency_key ON writes (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX writes_rejected ON writes (digest, decided_at) WHERE state = 'rejected';
CREATE INDEX writes_waiting ON writes (approval_order, target) WHERE state = 'approved';
CREATE INDEX writes_executing ON writes (target) WHERE state = 'executing';

CREATE TRIGGER writes_keep_what_was_proposed
BEFORE UPDATE OF id, operation, service, request, digest, preview, precondition, target, idempotent, destructive,
  approval, reason, agent, idempotency_key, proposed_at, expires_at ON writes
BEGIN SELECT raise(ABORT, 'what was proposed is never changed'); END;

CREATE TRIGGER writes_are_kept BEFORE DELETE ON writes
BEGIN SELECT raise(ABORT, 'a write is never removed'); END;

CREATE TABLE audit (
  sequence      INTEGER PRIMARY KEY, -- from 1, without a hole
  at            TEXT NOT NULL,
  action        TEXT NOT NULL,
  write_id      TEXT NOT NULL,
  digest        TEXT NOT NULL,
  via           TEXT NOT NULL,
  user          TEXT,
  detail        TEXT NOT NULL, -- canonical JSON
  previous_hash TEXT NOT NULL,
  hash          TEXT NOT NULL  -- SHA-256 over all of the above: src/writes/audit.ts
) STRICT;

CREATE INDEX audit_by_write ON audit (write_id);

-- The length and the last hash of the chain, without which rows cut off at its end would not be missed.
INSERT INTO meta (key, value) VALUES
  ('audit_rows', 0),
  ('audit_head', '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

-- INSERT OR REPLACE removes the row in its way without asking the trigger above.
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
WHEN new.sequence <= (SELECT max(sequence) FROM audit)
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
