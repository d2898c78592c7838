-- The nodes that share the log, and the leases by which each thing that must be done once is done by one of them.
-- Whoever takes a lease, or takes leases away, locks the head first: so no commit is between its check and its end.

-- The id of the newest event, so that the ids of all nodes sort in the order of the log.
ALTER TABLE head ADD COLUMN last_id TEXT COLLATE "C";
UPDATE head SET last_id = (SELECT id FROM events WHERE sequence = latest);

-- By the run of a daemon, not by the name of its node: two runs must not settle each other's commits.
DROP TABLE commits;
CREATE TABLE commits (
  incarnation BIGINT PRIMARY KEY,
  token       TEXT COLLATE "C" NOT NULL,
  since       TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE nodes (
  name        TEXT COLLATE "C" PRIMARY KEY,
  -- Of one run of the daemon, random; it and the next three numbers are the keys of its session locks.
  incarnation BIGINT NOT NULL UNIQUE,
  version     TEXT COLLATE "C" NOT NULL,
  state       TEXT COLLATE "C" NOT NULL DEFAULT 'up' CHECK (state IN ('up', 'draining', 'lost')),
  started_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  seen_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
  beat        BIGINT NOT NULL DEFAULT 0, -- grows with each renewal of its leases
  given       BIGINT NOT NULL DEFAULT 0, -- grows when leases of it become free
  server      TIMESTAMPTZ,               -- when the server started on which it has its session locks
  keys        TEXT[] NOT NULL            -- which encryption keys it has; the first one encrypts
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Grows over all resources, so that the row of a lease that nobody holds can go.
CREATE SEQUENCE lease_tokens;

CREATE TABLE leases (
  resource TEXT COLLATE "C" PRIMARY KEY,
  holder   BIGINT NOT NULL, -- the incarnation
  token    BIGINT NOT NULL,
  since    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX leases_by_holder ON leases (holder);

-- Renews all leases of a node. What is lost of it in a crash of the server only makes its leases end earlier.
-- False: other nodes gave it up, or another run took its place.
CREATE FUNCTION node_renew(node BIGINT, anchored BOOLEAN) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE nodes SET beat = beat + 1, seen_at = clock_timestamp(),
    server = CASE WHEN anchored THEN pg_postmaster_start_time() END
  WHERE incarnation = node AND state <> 'lost';
  RETURN FOUND;
END $$;

-- Waits for up to a second for the session that holds the first lock to end. True: that of the second is gone, too.
-- It does not wait longer, because the snapshot of a waiting statement keeps VACUUM from removing rows.
CREATE FUNCTION node_gone(first BIGINT, second BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(first);
  RETURN pg_try_advisory_xact_lock_shared(second);
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

-- Whether the process is gone: its sessions ended, on the server on which it had them.
CREATE FUNCTION node_ended(node BIGINT, on_server TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE sql AS $$
  SELECT coalesce(on_server = pg_postmaster_start_time(), false)
    AND pg_try_advisory_xact_lock_shared(node) AND pg_try_advisory_xact_lock_shared(node + 1)
$$;
