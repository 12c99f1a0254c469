//! The connections and partitions of the PostgreSQL store.

mod connecting;
mod partitions;
