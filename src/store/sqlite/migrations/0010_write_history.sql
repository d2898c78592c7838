-- For the history of a target, and the last write of an operation.
CREATE INDEX writes_by_target ON writes (target, id, operation, state);
CREATE INDEX writes_by_operation ON writes (operation, id, state);
