//! Deliveries to tables of real databases.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod fixtures;
mod hostile;
mod mysql;
mod postgres;
mod servers;
mod speed;
mod sqlite;
