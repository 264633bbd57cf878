-- The number of each account's last commit, in the order of all commits, so that other processes can
-- ask what changed, and the tag of the version that it made.
CREATE TABLE IF NOT EXISTS account_change (
    account  INTEGER NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL UNIQUE,
    tag      BLOB
) STRICT;

INSERT INTO account_change (account, sequence)
SELECT id, row_number() OVER (ORDER BY id) FROM account
WHERE NOT EXISTS (SELECT 1 FROM account_change);
