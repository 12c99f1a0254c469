-- When the delivery is due, if its endpoint receives in order. `free_at` is then the position in
-- that order: a number beyond all times, so that it sorts after unordered deliveries.
ALTER TABLE pending ADD COLUMN due_at INTEGER;
