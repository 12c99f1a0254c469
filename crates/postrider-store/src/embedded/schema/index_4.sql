-- The event type of a message, and marks of its channels and tags, so that filters need not look at
-- every message; none in rows of earlier versions.
ALTER TABLE messages ADD COLUMN labels INTEGER;
