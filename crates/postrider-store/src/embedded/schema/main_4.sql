-- When the schedule of a delivery continues that was sent again before its next attempt was due.
ALTER TABLE pending ADD COLUMN resume_at INTEGER;
