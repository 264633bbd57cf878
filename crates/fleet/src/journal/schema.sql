-- The journal of rotations. Nothing of it is ever removed but secrets, when their rotation is over.
CREATE TABLE IF NOT EXISTS setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS rotation (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    user       TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    began      INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    secrets    BLOB
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS rotation_open ON rotation (account, user_id) WHERE open = 1;
CREATE INDEX IF NOT EXISTS rotation_user ON rotation (account, user);

CREATE TABLE IF NOT EXISTS event (
    number     INTEGER NOT NULL PRIMARY KEY,
    rotation   TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    phase      TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    hash       BLOB    NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS event_rotation ON event (rotation);

CREATE TRIGGER IF NOT EXISTS event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'history is only appended to'); END;

CREATE TRIGGER IF NOT EXISTS event_is_final BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'history is only appended to'); END;

-- What each notifier heard last of a rotation, a user or an account, so that it does not hear it again.
CREATE TABLE IF NOT EXISTS notice_memory (
    notifier TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (notifier, account, subject)
) STRICT, WITHOUT ROWID;

-- Notices that are not delivered yet. They go when they are, or when they were tried for long enough.
CREATE TABLE IF NOT EXISTS notice_outbox (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    notifier   TEXT    NOT NULL,
    recipient  TEXT,
    body       TEXT    NOT NULL,
    made       INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS notice_outbox_notifier ON notice_outbox (notifier, not_before);
