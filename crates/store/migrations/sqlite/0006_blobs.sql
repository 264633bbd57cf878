-- Blobs that no row refers to. Names are reserved before a blob is made. Pending deletes are numbered,
-- so that a large deletion appends to a few pages; blobs are names of 16 bytes one after another.
CREATE TABLE IF NOT EXISTS blob_reservation (
    blob BLOB    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS blob_reservation_by_time ON blob_reservation (at);

CREATE TABLE IF NOT EXISTS blob_delete (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    blobs  BLOB    NOT NULL
) STRICT;
