//! The API, called in this process over the memory store.
#![expect(clippy::unwrap_used, reason = "tests end where something is missing")]

mod thin;
mod world;
