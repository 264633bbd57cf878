-- The unbounded tables beside the ledger. Times are milliseconds since the Unix epoch.
CREATE TABLE IF NOT EXISTS last_use (
    subject TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    service TEXT    NOT NULL,
    region  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows per key are capped; the total outlives the rows that gave way.
CREATE TABLE IF NOT EXISTS attempt (
    key            TEXT    NOT NULL,
    source_address TEXT    NOT NULL,
    user_agent     TEXT    NOT NULL,
    action         TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    count          INTEGER NOT NULL,
    PRIMARY KEY (key, source_address, user_agent, action)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS attempt_total (
    key   TEXT    NOT NULL PRIMARY KEY,
    total INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS session (
    key       TEXT    NOT NULL PRIMARY KEY,
    source    TEXT    NOT NULL,
    principal TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    issued    INTEGER NOT NULL,
    expires   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS session_by_source ON session (source, expires);
CREATE INDEX IF NOT EXISTS session_by_expiry ON session (expires);
