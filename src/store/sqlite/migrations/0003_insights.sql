-- Everything ever said by the insight stream, found by time, type, confidence and words, whatever becomes of its event.

DROP INDEX insights_by_time;
DROP INDEX insights_by_type;
ALTER TABLE events DROP COLUMN insight_type;

-- Without what is only shown, so that a look at many of them reads few pages.
CREATE TABLE insights (
  key        INTEGER PRIMARY KEY, -- from its time, so that its order is that of time: src/store/sqlite-insights.ts
  sequence   INTEGER NOT NULL UNIQUE, -- of its event
  time       TEXT NOT NULL,
  type       TEXT,
  confidence REAL
) STRICT;

CREATE INDEX insights_by_type ON insights (type, key, confidence);

-- Only of those whose events were removed.
CREATE TABLE insight_data (
  key  INTEGER PRIMARY KEY,
  data TEXT NOT NULL -- JSON, as it was in its event
) STRICT;

-- Its rowid is the key. Only the index: the words are in the data.
CREATE VIRTUAL TABLE insight_words USING fts5 (
  content, target,
  content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
