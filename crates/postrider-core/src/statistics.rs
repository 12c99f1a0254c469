//! Statistics: what is counted of messages, attempts and received requests, by minute, hour and
//! day.
//!
//! A [`Fact`] is one countable thing, packed into an integer, so that stores write many of them at
//! little cost. [`Rollups`] adds facts up: to [`Counters`] for each [`Subject`] and each period of
//! each [`Resolution`].

mod counters;
mod fact;
mod histogram;
mod minutes;
mod periods;
mod resolution;
mod result;
mod rollups;

pub use self::{
    counters::Counters,
    fact::{Counted, CountedAttempt, CountedFor, Fact, FactKind, RequestResult},
    histogram::{Bucket, Histogram},
    minutes::{MinuteCounts, add_up, by_subject},
    periods::{Period, periods},
    resolution::{Resolution, StatisticsRetention},
    result::{AttemptResult, Cause},
    rollups::{RollupKey, Rollups, Subject},
};
