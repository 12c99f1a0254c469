-- Endpoints that are disabled keep what waits for them, and deliveries that are sent again on
-- request continue their schedule.

-- The endpoint is disabled: claims do not look at the lane. Every disabled endpoint has one.
ALTER TABLE lane ADD COLUMN paused boolean NOT NULL DEFAULT false;
DROP INDEX lane_due;
CREATE INDEX lane_due ON lane (due_at) WHERE due_at IS NOT NULL AND NOT paused;
CREATE INDEX lane_paused ON lane (application, endpoint) WHERE paused;
INSERT INTO lane (application, endpoint, paused)
SELECT application, id, true FROM endpoint
WHERE record::jsonb ->> 'disabled' = 'true'
ORDER BY application, id
ON CONFLICT (application, endpoint) DO UPDATE SET paused = true;

-- What follows if the attempt fails. NULL: what the retry schedule says. Otherwise the attempt
-- was requested, and the schedule continues then; -1: it is the only one.
ALTER TABLE queue ADD COLUMN resume_at bigint;
