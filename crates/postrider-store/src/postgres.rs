//! The store on PostgreSQL, which any number of nodes share.
//!
//! One statement writes a message with its deliveries, and one more takes a delivery out of the
//! queue when it succeeds at once; neither reads. The node that wrote a delivery holds it: the row
//! names the node. Only the node renews a lease, every few seconds, so nothing has to be written
//! for the deliveries themselves. When the lease of a node ends, another one frees what it held.
//! All times that nodes compare are by the database's clock.
//!
//! # Statements
//!
//! Each statement is a constant that can be pasted into a console, above the function that runs it.
//! The types of its parameters follow from the Rust values; see [`parameter`].
//!
//! The statistics of tables that fill and empty mislead the planner, and the plan that it makes for
//! an empty queue is kept. So a statement over a batch leaves it no choice but a lookup by key for
//! each member:
//!
//! - Rows are read by a `LATERAL` subquery with a `LIMIT`, whose join cannot be reversed. An
//!   `EXISTS` has an `OFFSET 0`, so that it cannot become a join that reads the whole table.
//! - Rows that are changed have to be joined. `application = ANY (ARRAY[k.application])` means the
//!   same as `=` and can use an index as well, but says nothing about the order of its rows. So the
//!   planner sees no gain in walking along a whole index for each member.
//! - Such a join does not repeat the condition of a partial index, which would make that index a
//!   candidate for such a walk.
//! - Two sets of one batch are joined by the index in their arrays, or by the caller.
//!
//! `plans/batch.rs` counts the rows that each of them visits.
//!
//! # Errors
//!
//! Functions return [`error::DatabaseError`], which distinguishes lost races, unknown outcomes and
//! unavailable locks. The implementations of the contracts convert it.

mod audit;
mod catalog;
mod clock;
mod cluster;
mod connect;
mod deliveries;
mod error;
mod foreign;
mod format;
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
mod overview;
mod parameter;
mod partitions;
#[cfg(test)]
mod plans;
mod polling;
mod rejections;
mod row;
mod search;
mod session;
mod sign_ins;
mod statistics;
mod store;
mod tasks;
mod transfer;
mod value;

pub(crate) use self::error::reason;
pub use self::{
    connect::database_location,
    error::OpenError,
    foreign::{ForeignDatabase, TextRow},
    installation::Installation,
    migrate::MigrationReport,
    options::PostgresOptions,
    store::PostgresStore,
    transfer::PostgresTransferStore,
};
