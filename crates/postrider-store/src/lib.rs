//! The stores of Postrider: everything that is durable.
//!
//! [`Store`] is the only way to durable state. It is the sum of fourteen contracts: [`Deliveries`],
//! [`Catalog`], [`AuditLog`], [`History`], [`Search`], [`Idempotency`], [`Rejections`],
//! [`Statistics`], [`Overview`], [`Tasks`], [`PollLogs`], [`Maintenance`] and [`Cluster`].
//! Every method is a transaction. Methods on hot paths take batches: the caller groups its
//! writes, so that the implementations stay simple.
//!
//! There are three implementations: [`EmbeddedStore`] in a folder of its own, [`PostgresStore`]
//! for several nodes, and [`MemoryStore`] for tests. All of them pass the same conformance suite
//! in `tests/it`, which states the contracts' promises as executable cases.

mod at_end;
mod contract;
mod embedded;
mod error;
mod format_report;
mod index_rebuild;
mod memory;
mod page;
mod postgres;
pub mod private;
mod ranking;
mod reason;
mod rejected;
mod root_certificates;
pub mod transfer;
mod weight;

pub use postrider_core::delivery::{DeliveryOrder, ResendMode, StatusKind};

pub use crate::{
    contract::{
        Store,
        audit::{AuditFilter, AuditLog, BatchedChange, Change, Changed},
        catalog::{
            Catalog, Expected, IdOrUid, MAX_DEAD_LETTERS, Parent, RecordId, RecordKind,
            RecordRange, RecordRow, Selector, StoredRecord, UniqueKey, Version, record::Record,
            typed::Records,
        },
        cluster::{Cluster, NodeLease, StoreEvent},
        deliveries::{
            AppendOutcome, Claim, ClaimedBatch, Deliveries, Hold, NewMessage, Scope, SettleBatch,
            Shard, Target,
        },
        history::{
            AttemptFilter, AttemptsOf, DeliveriesOf, DeliveryFilter, DeliveryRow, History,
            MessageFilter, Stats, StatusFilter,
        },
        idempotency::{Idempotency, KeyReservation},
        maintenance::{
            ConnectionUse, DiskSize, Maintenance, Retention, Rewrite, RewritePage, RewritePosition,
            StoreSize,
        },
        overview::{
            EndpointCounts, EndpointPlace, EndpointRow, EndpointTotals, NodeRow, Overview, Queued,
            Space,
        },
        polling::{LogEntry, LogKey, LogPage, PollLogs, SavedConsumer},
        rejections::{MAX_REJECTIONS, Rejections},
        search::{AttemptSearch, EndpointKey, MAX_LOOKUPS, MessageSearch, Reach, Search},
        sign_ins::{SignIn, SignIns},
        statistics::{Ranked, Statistics},
        tasks::{ResendWhich, TASK_RETENTION, TaskBatch, TaskEffect, Tasks},
    },
    embedded::{
        EmbeddedStore, EmbeddedTransferStore, NumberCounts, Options, Salvaged, VerifiedRows,
        backup, format_of, salvage, verify,
    },
    error::{BoxError, StoreError, StoreFailure},
    format_report::{FormatReport, ProgramVersion},
    index_rebuild::IndexRebuild,
    memory::MemoryStore,
    page::{Scan, ScanPage},
    postgres::{
        ForeignDatabase, Installation, MigrationReport, OpenError, PostgresOptions, PostgresStore,
        PostgresTransferStore, TextRow, database_location,
    },
    root_certificates::root_certificates,
    weight::{LIST_BYTES, Weight},
};
