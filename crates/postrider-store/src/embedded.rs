//! The store in one folder, for one process, on `SQLite`.
//!
//! Durability costs little, and indexes cost much. So the main database (`postrider.db`), which
//! is durable when a method returns, is laid out for writing: messages and attempts are appended
//! to two tables without indexes, and a delivery that succeeds at once is one row in each and
//! nothing else. Its lease is kept in memory only; the table `pending` contains the deliveries
//! that wait longer. The index (`index.db`), which lists are searched in, is brought up to date
//! behind the commits, in large batches, by another thread, and rebuilt if it is lost; a reader
//! first waits until the index has everything that was acknowledged before. A third, small file
//! (`postrider.mark`) records how far the main database is, so that lost data is noticed.
//! `docs/decisions/embedded-store.md` has the measurements behind this.
//!
//! Threads: one commits, one copies the write-ahead log, one keeps the index, one copies the
//! index's log, a few read.
//!
//! Each contract has a module with its name, here as in the other stores. The other modules are
//! what this store is made of.

mod audit;
mod catalog;
mod cluster;
mod deliveries;
mod history;
mod idempotency;
mod maintenance;
mod rejections;
mod search;

mod backlog;
mod cancelled;
mod checkpoint;
mod commit;
mod database;
mod disk_space;
mod error;
mod extras;
mod files;
mod folder;
mod format;
mod functions;
mod handles;
mod index;
mod journal;
mod labels;
mod leases;
mod ledger;
mod loss;
mod main_file;
mod number;
mod numbers;
mod options;
mod overview;
mod pending_row;
#[cfg(test)]
mod plans;
mod polling;
mod readers;
mod row;
mod sign_ins;
mod state;
mod statistics;
mod store;
mod sync_failure;
mod tasks;
mod thread;
mod transfer;

pub(crate) use self::error::reason;
pub use self::{
    maintenance::{Salvaged, VerifiedRows, backup, format_of, salvage, verify},
    numbers::NumberCounts,
    options::Options,
    store::EmbeddedStore,
    transfer::EmbeddedTransferStore,
};
