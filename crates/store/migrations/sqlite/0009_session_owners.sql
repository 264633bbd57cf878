-- Whose key a session comes from: the key may be deleted before the session expires.
ALTER TABLE session ADD COLUMN owner TEXT;

-- Counts the sessions that one action has issued to a key, and finds those that were ended.
CREATE INDEX IF NOT EXISTS session_by_action ON session (source, action, expires, issued);
