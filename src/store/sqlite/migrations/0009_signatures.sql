-- A write can be decided by the signatures of people who are named, one or several.

ALTER TABLE writes ADD COLUMN signed_by TEXT; -- JSON: who signed its approval, with which key, and when
ALTER TABLE audit ADD COLUMN signer TEXT;     -- whose signature it was that decided
