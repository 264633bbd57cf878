-- What belongs to the installation itself stood under account 000000000000, which is an account of
-- its own now. Nothing could be stored under that account before.
UPDATE account SET id = 1000000000000
WHERE id = 0 AND NOT EXISTS (SELECT 1 FROM account WHERE id = 1000000000000);
UPDATE record SET account = 1000000000000
WHERE account = 0
  AND NOT EXISTS (SELECT 1 FROM record WHERE account = 1000000000000);
