-- When the schedule continues, for a delivery that was resent before its next attempt was due.
ALTER TABLE pending ADD COLUMN resume_at INTEGER;
