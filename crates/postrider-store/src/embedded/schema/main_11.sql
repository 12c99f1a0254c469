-- New rows of messages and attempts have a checksum in their blobs, which earlier versions cannot
-- read. Rows without one stay as they are.

-- Deliveries that were resent and then cancelled, whose last attempt does not tell their state.
CREATE TABLE cancelled (
  message INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  PRIMARY KEY (message, endpoint)
) WITHOUT ROWID;
