-- The log, what jobs remember, and who reads it.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a sequence is never given twice, even after retention removed every event.
CREATE TABLE events (
  sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT NOT NULL, -- ULID, its time is the time of the commit
  source       TEXT NOT NULL,
  type         TEXT NOT NULL, -- with the prefix "nexusd."
  subject      TEXT,
  time         TEXT NOT NULL, -- RFC 3339 UTC with milliseconds, so that text order is time order
  data         TEXT NOT NULL, -- JSON, never rewritten
  insight_type TEXT           -- a column, since json_extract refuses data nested deeper than 1000
) STRICT;

-- An index ends in the sequence by itself: each walks one type, or one type of one source, in order.
CREATE INDEX events_by_type ON events (type);
CREATE INDEX events_by_source ON events (source, type);
CREATE INDEX insights_by_time ON events (time) WHERE type = 'nexusd.nex.insight.received';
CREATE INDEX insights_by_type ON events (insight_type, time) WHERE type = 'nexusd.nex.insight.received';

CREATE TABLE cursors (
  source     TEXT PRIMARY KEY,
  value      TEXT NOT NULL, -- JSON
  updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
  kind       TEXT NOT NULL,
  key        TEXT NOT NULL,
  value      TEXT NOT NULL, -- JSON
  updated_at TEXT NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- Scope and key as 16 bytes of their SHA-256: a fifth of the room, and keys outlive their events.
CREATE TABLE dedupe (
  digest   BLOB PRIMARY KEY,
  seen_day INTEGER NOT NULL -- days since 1970 when it was last met
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE consumers (
  name       TEXT PRIMARY KEY,
  position   INTEGER NOT NULL,
  types      TEXT, -- JSON array of patterns; NULL: every type
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
