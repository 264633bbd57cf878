-- What S3 knows beside the bytes. Names and keys are BLOBs: listings compare them byte by byte, and
-- the bounds of a range need not be UTF-8.
CREATE TABLE IF NOT EXISTS bucket (
    name    BLOB    NOT NULL PRIMARY KEY,
    account INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS bucket_by_account ON bucket (account, name);

CREATE TABLE IF NOT EXISTS object (
    bucket BLOB NOT NULL,
    key    BLOB NOT NULL,
    etag   TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS upload (
    id     BLOB NOT NULL PRIMARY KEY,
    bucket BLOB NOT NULL,
    key    BLOB NOT NULL,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX IF NOT EXISTS upload_by_key ON upload (bucket, key, id);

CREATE TABLE IF NOT EXISTS part (
    upload BLOB    NOT NULL,
    number INTEGER NOT NULL,
    body   BLOB    NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
