-- Small values that the nodes share and change by comparing the version: the used request budgets. They are not part of
-- the log: nothing is lost with them, and they are not moved.
CREATE TABLE shared_values (
  name    TEXT COLLATE "C" PRIMARY KEY,
  version BIGINT NOT NULL,
  text    TEXT COLLATE "C" NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
