-- When the delivery is due, if it has a place in the order of its endpoint. Its `free_at` is
-- that place then: a number beyond all times, so that it stands behind whatever has none.
ALTER TABLE pending ADD COLUMN due_at INTEGER;
