//! The store on PostgreSQL, which any number of nodes share.
//!
//! A message is written with its deliveries in one statement, and a delivery that succeeds at
//! once leaves the queue with one more; neither reads. Whoever wrote a delivery holds it: its
//! row names the node, and the node renews a lease of its own every few seconds, so nothing has
//! to be written for the deliveries themselves. When the lease of a node ends, another one
//! frees what it held. All times that nodes compare are by the database's clock.
//!
//! The statistics of tables that empty and fill mislead the planner, and the plan that it makes
//! for an empty queue is kept. So a statement over a batch leaves it one way: a lookup by key for
//! each member.
//!
//! - What is read is read by a `LATERAL` subquery with a `LIMIT`, which cannot be turned around.
//!   An `EXISTS` has an `OFFSET 0`, so that it is not answered by reading the whole table.
//! - A row that is changed has to be joined. `application = ANY (ARRAY[k.application])` means the
//!   same as `=` and can be looked up as well, but says nothing about the order of an index, so
//!   that there is no reason to walk along all of it for each member.
//! - Such a join names no condition that a partial index has, which would be another reason.
//! - Two sets of one batch are joined by the place in their arrays, or by the caller.
//!
//! `plans/batch.rs` counts the rows that each of them visits.

mod catalog;
mod clock;
mod cluster;
mod connect;
mod deliveries;
mod error;
mod history;
mod idempotency;
mod in_doubt;
mod installation;
mod lane;
mod maintenance;
mod migrate;
mod node;
mod notify;
mod open;
mod options;
mod parameter;
mod partitions;
#[cfg(test)]
mod plans;
mod rejections;
mod row;
mod session;
mod sources;
mod store;
mod transfer;
mod value;

pub use self::{
    connect::database_location, error::OpenError, installation::Installation,
    migrate::MigrationReport, options::PostgresOptions, store::PostgresStore,
    transfer::PostgresTransferStore,
};
