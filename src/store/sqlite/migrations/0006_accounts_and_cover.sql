-- What was approved is bound to the account that it is sent with, whoever proposed it can keep it to itself, and the
-- audit log covers every column of a write and its events.

ALTER TABLE writes ADD COLUMN account TEXT;    -- JSON: the origin and the fingerprint of the credential at the proposal
ALTER TABLE writes ADD COLUMN token_hash TEXT; -- SHA-256 of the token without which no agent withdraws it
ALTER TABLE consumers ADD COLUMN token_hash TEXT; -- the same of a consumer

-- What a step set in its write, and which event tells of it; NULL: from before this was kept.
ALTER TABLE audit ADD COLUMN covers TEXT;

-- A key belongs to the agent that used it, and to the operation.
DROP INDEX writes_by_idempotency_key;
CREATE UNIQUE INDEX writes_by_idempotency_key ON writes (idempotency_key, operation, coalesce(agent, ''))
WHERE idempotency_key IS NOT NULL;

DROP TRIGGER writes_keep_what_was_proposed;
CREATE TRIGGER writes_keep_what_was_proposed
BEFORE UPDATE OF id, operation, service, request, digest, preview, precondition, target, idempotent, destructive,
  approval, reason, agent, idempotency_key, proposed_at, expires_at, account, token_hash ON writes
BEGIN SELECT raise(ABORT, 'what was proposed is never changed'); END;
