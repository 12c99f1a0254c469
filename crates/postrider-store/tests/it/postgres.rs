//! What only the PostgreSQL store has: connections and partitions.

mod connecting;
mod partitions;
