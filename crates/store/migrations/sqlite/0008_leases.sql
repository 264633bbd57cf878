-- What one process at a time may do. Rows stay, so that tokens only grow; a lease that was given back
-- has expired long ago.
CREATE TABLE IF NOT EXISTS lease (
    name    TEXT    NOT NULL PRIMARY KEY,
    holder  BLOB    NOT NULL,
    token   INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
