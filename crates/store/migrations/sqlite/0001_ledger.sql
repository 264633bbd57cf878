-- IAM state: one version per account, opaque records beneath it.
-- Clustered by primary key, so that a load is one sequential scan and a write touches one tree.
CREATE TABLE IF NOT EXISTS account (
    id      INTEGER NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS record (
    account INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    body    BLOB    NOT NULL,
    PRIMARY KEY (account, kind, id)
) STRICT, WITHOUT ROWID;
