-- Versions of objects. `object` has the newest version of every key, unless that is a delete marker;
-- `hidden_version` has all others and the delete markers. So a read by key and a listing are one
-- lookup in `object`, and existing rows, each the version `null`, need not be rewritten.
ALTER TABLE object ADD COLUMN version TEXT NOT NULL DEFAULT 'null';
-- The order of a key's versions; the newest has the greatest.
ALTER TABLE object ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;

CREATE TABLE hidden_version (
    bucket   BLOB    NOT NULL,
    key      BLOB    NOT NULL,
    version  TEXT    NOT NULL,
    sequence INTEGER NOT NULL,
    -- NULL for a delete marker.
    etag     TEXT,
    body     BLOB    NOT NULL,
    PRIMARY KEY (bucket, key, version)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX hidden_version_by_age ON hidden_version (bucket, key, sequence);
