-- The oldest rows of the audit log, and finished writes with them, may go: up to a checkpoint that an operator signed
-- off, and by leaving a row in the chain that says what went.

CREATE INDEX audit_marks ON audit (action) WHERE action IN ('checkpoint', 'pruned');

CREATE TRIGGER audit_checkpoints_are_signed_off BEFORE INSERT ON audit
WHEN new.action = 'checkpoint' AND new.via <> 'operator.sock'
BEGIN SELECT raise(ABORT, 'only an operator signs off the audit log'); END;

CREATE TRIGGER audit_is_pruned_to_a_checkpoint BEFORE INSERT ON audit
WHEN new.action = 'pruned' AND json_extract(new.detail, '$.to') > coalesce((
  SELECT json_extract(detail, '$.to') FROM audit WHERE action = 'checkpoint' ORDER BY sequence DESC LIMIT 1), 0)
BEGIN SELECT raise(ABORT, 'the audit log is append-only beyond what an operator signed off'); END;

DROP TRIGGER audit_is_never_cut;
CREATE TRIGGER audit_is_only_pruned BEFORE DELETE ON audit
WHEN old.sequence > coalesce((
  SELECT json_extract(detail, '$.to') FROM audit WHERE action = 'pruned' ORDER BY sequence DESC LIMIT 1), 0)
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

DROP TRIGGER writes_are_kept;
CREATE TRIGGER writes_are_kept_with_their_record BEFORE DELETE ON writes
WHEN old.state IN ('proposed', 'approved', 'executing', 'unknown')
  OR EXISTS (SELECT 1 FROM audit WHERE write_id = old.id)
BEGIN SELECT raise(ABORT, 'a write is never removed before it is finished and its rows of the audit log are gone'); END;
