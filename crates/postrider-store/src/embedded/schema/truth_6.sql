-- How many messages were ever accepted, up to and with this commit: what a store that lost its
-- last commits is missing.
ALTER TABLE journal ADD COLUMN accepted INTEGER;
