-- What is long of a write that was finished long ago may go: a row of the audit log says so, and covers what is left.

ALTER TABLE writes ADD COLUMN body_removed_at TEXT; -- when request, preview, precondition and output were removed

-- By the time at which they were finished, and only while there is something to remove.
CREATE INDEX writes_with_body ON writes (coalesce(finished_at, decided_at, proposed_at), id)
WHERE body_removed_at IS NULL AND state IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved');

DROP TRIGGER writes_keep_what_was_proposed;
CREATE TRIGGER writes_keep_what_was_proposed
BEFORE UPDATE OF id, operation, service, digest, target, idempotent, destructive, approval, reason, agent,
  idempotency_key, proposed_at, expires_at, account, token_hash ON writes
BEGIN SELECT raise(ABORT, 'what was proposed is never changed'); END;

CREATE TRIGGER writes_keep_their_body BEFORE UPDATE OF request, preview, precondition, body_removed_at ON writes
WHEN old.body_removed_at IS NOT NULL OR new.body_removed_at IS NULL
  OR new.request <> '' OR new.precondition IS NOT NULL
  OR old.state NOT IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved')
BEGIN SELECT raise(ABORT, 'what was proposed is never changed, and only removed where it is finished'); END;
