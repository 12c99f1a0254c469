//! Quotas of applications, so that one customer cannot use up the server.
//!
//! A request that exceeds a number (of endpoints, headers, …) gets 422, because a retry would not
//! help. One that exceeds a rate or the limit of pending deliveries gets 429. Each node counts
//! rates for itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider::{
    ApplicationId, OrganizationId,
    api::usage::{Usage, UsageOut},
};
use postrider_core::{
    backlog::{self, Admission, Backlog},
    catalog::{Endpoint, Source},
    limiter::Limiter,
    time::Timestamp,
};
use postrider_engine::{Cache, Directory, Entry};
use postrider_store::{Records, Scan, Store};

use crate::{
    api::{error::ApiError, problems::Problems},
    metrics::{QuotaLabels, Refusals},
    settings::Quotas,
};

/// How far pending deliveries are counted for the usage report, if their limit is lower.
const MAX_REPORTED: u64 = 100_000;

/// Sources that are read in one call.
const PAGE: usize = 250;

/// Counts what applications use, and refuses what exceeds their quotas.
#[derive(Debug)]
pub(crate) struct QuotaTracker {
    quotas: Quotas,
    counters: Cache<ApplicationId, SharedCounters>,
    refusals: Refusals,
}

/// What one application uses.
type SharedCounters = Arc<Mutex<Counters>>;

#[derive(Debug, Default)]
struct Counters {
    requests: Option<Limiter>,
    messages: Option<Limiter>,
    backlog: Backlog,
}

impl QuotaTracker {
    /// A tracker that remembers the counters of at most `capacity` applications.
    pub(crate) fn new(quotas: Quotas, capacity: usize, refusals: Refusals) -> Self {
        Self { quotas, counters: Cache::new(capacity), refusals }
    }

    /// Counts a request that uses a token of the application.
    pub(crate) fn count_request(
        &self,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let Some(rate) = self.quotas.requests_per_second else { return Ok(()) };
        let counters = self.counters(application);
        let limiter = &mut lock(&counters).requests;
        self.take(
            limiter,
            rate,
            now,
            Quota { name: "requests_per_second", what: "API requests per second" },
        )
    }

    /// Counts a message that is published to the application.
    pub(crate) async fn count_message(
        &self,
        store: &dyn Store,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let Quotas { messages_per_second: rate, pending, .. } = self.quotas;
        if rate.is_none() && pending.is_none() {
            return Ok(());
        }
        let counters = self.counters(entry.application.id);
        if let Some(limit) = pending {
            self.check_pending(store, entry, &counters, (limit, now)).await?;
        }
        let mut counters = lock(&counters);
        if let Some(rate) = rate {
            let quota = Quota { name: "messages_per_second", what: "messages per second" };
            self.take(&mut counters.messages, rate, now, quota)?;
        }
        counters.backlog.add(entry.endpoints.len() as u64);
        Ok(())
    }

    /// Refuses a message if too many deliveries are pending.
    async fn check_pending(
        &self,
        store: &dyn Store,
        entry: &Entry,
        counters: &SharedCounters,
        (limit, now): (u64, Timestamp),
    ) -> Result<(), ApiError> {
        let mut admission = {
            let backlog = &mut lock(counters).backlog;
            let admission = backlog.judge(limit, now);
            if admission == Admission::Count {
                backlog.begin_count(limit, now);
            }
            admission
        };
        // The store is asked without the lock: other requests go on with the last count.
        if admission == Admission::Count {
            let counted = count_pending(store, entry, limit).await?;
            lock(counters).backlog.set(counted, now);
            admission = if counted < limit { Admission::Admit } else { Admission::Refuse };
        }
        if admission == Admission::Admit {
            return Ok(());
        }
        let quota = Quota { name: "pending", what: "pending deliveries" };
        Err(self.refuse(quota, limit, backlog::REFRESH))
    }

    fn take(
        &self,
        limiter: &mut Option<Limiter>,
        rate: u32,
        now: Timestamp,
        quota: Quota,
    ) -> Result<(), ApiError> {
        let limiter = limiter.get_or_insert_with(|| Limiter::with_full_burst(rate));
        let ready_at = limiter.ready_at();
        if now < ready_at {
            return Err(self.refuse(quota, u64::from(rate), ready_at.since(now)));
        }
        limiter.take(now);
        Ok(())
    }

    fn refuse(&self, quota: Quota, limit: u64, wait: Duration) -> ApiError {
        let Quota { name, what } = quota;
        self.count_refusal(name);
        let detail = format!(
            "the application has used its quota of {limit} {what} (quotas.{name}); try again later"
        );
        ApiError::OverQuota { detail, wait }
    }

    fn count_refusal(&self, quota: &'static str) {
        self.refusals.get_or_create_owned(&QuotaLabels { quota }).inc();
    }

    fn counters(&self, application: ApplicationId) -> SharedCounters {
        self.counters.get_or_renew(&application, |_| true, SharedCounters::default)
    }

    /// What the application uses, and its quotas. `headers` is the largest number of headers of
    /// its endpoints, which are encrypted.
    pub(crate) async fn usage(
        &self,
        store: &dyn Store,
        entry: &Entry,
        headers: usize,
        now: Timestamp,
    ) -> Result<UsageOut, ApiError> {
        let quotas = &self.quotas;
        let at_most = quotas.pending.unwrap_or_default().max(MAX_REPORTED);
        let counted = count_pending(store, entry, at_most).await?;
        let counters = self.counters.get(&entry.application.id);
        let counters = counters.as_ref().map(lock);
        let used = |limiter: Option<&Option<Limiter>>| {
            limiter.and_then(Option::as_ref).map_or(0, |it| it.used(now))
        };
        let largest = |count: fn(&Endpoint) -> usize| {
            entry.endpoints.iter().map(|it| count(it) as u64).max().unwrap_or_default()
        };
        let of = |used: u64, limit: Option<u64>| Usage { used, limit };
        let counts = |used: u64, limit: Option<usize>| of(used, limit.map(|it| it as u64));
        Ok(UsageOut {
            endpoints: counts(entry.endpoints.len() as u64, quotas.endpoints),
            event_types_per_endpoint: counts(largest(event_types), quotas.event_types),
            channels_per_endpoint: counts(largest(channels), quotas.channels),
            headers_per_endpoint: counts(headers as u64, quotas.headers),
            pending_deliveries: of(counted, quotas.pending),
            messages_per_second: of(
                used(counters.as_ref().map(|it| &it.messages)),
                quotas.messages_per_second.map(u64::from),
            ),
            requests_per_second: of(
                used(counters.as_ref().map(|it| &it.requests)),
                quotas.requests_per_second.map(u64::from),
            ),
        })
    }

    /// Refuses another endpoint of an application that has as many as it may. The caller holds
    /// the application's lock.
    pub(crate) async fn check_endpoint_count(
        &self,
        directory: &Directory,
        application: ApplicationId,
    ) -> Result<(), ApiError> {
        if self.quotas.endpoints.is_none() {
            return Ok(());
        }
        let entry = directory.entry(application).await?;
        self.check_endpoint_total(entry.map_or(0, |entry| entry.endpoints.len()) + 1)
    }

    /// Refuses an application with this many endpoints, if that is more than it may have.
    pub(crate) fn check_endpoint_total(&self, count: usize) -> Result<(), ApiError> {
        let Some(limit) = self.quotas.endpoints.filter(|limit| count > *limit) else {
            return Ok(());
        };
        self.count_refusal("endpoints");
        let message = format!(
            "the application has {limit} endpoints, the most that it may have (quotas.endpoints)"
        );
        Err(ApiError::invalid(&["body"], message))
    }

    /// Refuses an endpoint whose lists are too long. Lists that were as long before may stay.
    pub(crate) fn check_endpoint(
        &self,
        old: Option<&Endpoint>,
        new: &Endpoint,
    ) -> Result<(), ApiError> {
        let mut problems = Problems::within(&["body"]);
        let before = |count: fn(&Endpoint) -> usize| old.map_or(0, count);
        let lists = [
            (
                "eventTypes",
                "event_types",
                self.quotas.event_types,
                event_types(new),
                before(event_types),
            ),
            ("channels", "channels", self.quotas.channels, channels(new), before(channels)),
        ];
        for (field, name, limit, count, before) in lists {
            let Some(limit) = limit else { continue };
            let is_within = count <= limit.max(before);
            if !is_within {
                self.count_refusal(name);
                problems.add(&[field], format!("has more than {limit} items (quotas.{name})"));
            }
        }
        problems.finish()
    }

    /// Refuses more headers than an endpoint may have, unless it had as many before.
    pub(crate) fn check_headers(&self, before: usize, after: usize) -> Result<(), ApiError> {
        let Some(limit) = self.quotas.headers else { return Ok(()) };
        if after <= limit.max(before) {
            return Ok(());
        }
        self.count_refusal("headers");
        let message = format!("has more than {limit} items (quotas.headers)");
        Err(ApiError::invalid(&["body", "headers"], message))
    }

    /// Refuses another source of an application that has as many as it may. `created` counts those
    /// that are created in the same transaction.
    pub(crate) async fn check_source_count(
        &self,
        store: &dyn Store,
        organization: &OrganizationId,
        (application, created): (ApplicationId, usize),
    ) -> Result<(), ApiError> {
        let Some(limit) = self.quotas.sources else { return Ok(()) };
        let (mut count, mut scan) = (created, Scan { after: None, ascending: true, limit: PAGE });
        loop {
            let found = store.list::<Source>(organization, scan.clone()).await?;
            count += found.items.iter().filter(|it| it.application == application).count();
            if count >= limit {
                break;
            }
            let Some(after) = found.resume else { return Ok(()) };
            scan.after = Some(after);
        }
        self.count_refusal("sources");
        let message = format!(
            "the application has {limit} sources, the most that it may have (quotas.sources)"
        );
        Err(ApiError::invalid(&["body"], message))
    }
}

/// A quota as error messages name it.
#[derive(Clone, Copy)]
struct Quota {
    name: &'static str,
    what: &'static str,
}

fn lock(counters: &SharedCounters) -> MutexGuard<'_, Counters> {
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn count_pending(store: &dyn Store, entry: &Entry, at_most: u64) -> Result<u64, ApiError> {
    let endpoints: Vec<_> = entry.endpoints.iter().map(|it| it.id).collect();
    Ok(store.backlog(entry.application.id, &endpoints, at_most).await?)
}

fn event_types(endpoint: &Endpoint) -> usize {
    endpoint.event_types.as_ref().map_or(0, Vec::len)
}

fn channels(endpoint: &Endpoint) -> usize {
    endpoint.channels.as_ref().map_or(0, Vec::len)
}
