//! What one application may use, so that a customer cannot take the server from the others.
//!
//! Counts are refused with 422, since trying again does not help; rates and pending deliveries
//! with 429. Rates are counted by each node for itself.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use postrider::{
    ApplicationId,
    api::usage::{Usage, UsageOut},
};
use postrider_core::{
    backlog::{self, Admission, Backlog},
    catalog::Endpoint,
    limiter::Limiter,
    time::Timestamp,
};
use postrider_engine::{Cache, Entry};
use postrider_store::{Scan, Store};

use crate::{
    api::{error::ApiError, problems::Problems},
    metrics::{QuotaLabels, Refusals},
    operations::{call::Call, secrets},
    settings::Quotas,
};

/// How far pending deliveries are counted to be shown, if their limit is lower.
const SHOWN: u64 = 100_000;

/// Sources that are read at once to be counted.
const PAGE: usize = 250;

/// What the applications use of what they may.
#[derive(Debug)]
pub(crate) struct Accounts {
    quotas: Quotas,
    accounts: Cache<ApplicationId, Account>,
    refusals: Refusals,
}

/// What one application uses.
type Account = Arc<Mutex<Counters>>;

#[derive(Debug, Default)]
struct Counters {
    requests: Option<Limiter>,
    messages: Option<Limiter>,
    backlog: Backlog,
}

impl Accounts {
    /// Accounts of at most so many applications at a time.
    pub(crate) fn new(quotas: Quotas, capacity: usize, refusals: Refusals) -> Self {
        Self { quotas, accounts: Cache::new(capacity), refusals }
    }

    /// Counts a request that an application makes with its own token.
    pub(crate) fn request(
        &self,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let Some(rate) = self.quotas.requests_per_second else { return Ok(()) };
        let account = self.account(application);
        let limiter = &mut lock(&account).requests;
        self.take(
            limiter,
            rate,
            now,
            Quota { name: "requests_per_second", what: "requests to the API in a second" },
        )
    }

    /// Counts a message that is published to an application.
    pub(crate) async fn message(
        &self,
        store: &dyn Store,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let Quotas { messages_per_second: rate, pending, .. } = self.quotas;
        if rate.is_none() && pending.is_none() {
            return Ok(());
        }
        let account = self.account(entry.application.id);
        if let Some(limit) = pending {
            self.wait_for_room(store, entry, &account, (limit, now)).await?;
        }
        let mut counters = lock(&account);
        if let Some(rate) = rate {
            let quota = Quota { name: "messages_per_second", what: "messages in a second" };
            self.take(&mut counters.messages, rate, now, quota)?;
        }
        counters.backlog.add(entry.endpoints.len() as u64);
        Ok(())
    }

    /// Refuses a message if too much waits already.
    async fn wait_for_room(
        &self,
        store: &dyn Store,
        entry: &Entry,
        account: &Account,
        (limit, now): (u64, Timestamp),
    ) -> Result<(), ApiError> {
        let mut judged = {
            let backlog = &mut lock(account).backlog;
            let judged = backlog.judge(limit, now);
            if judged == Admission::Count {
                backlog.begin_count(limit, now);
            }
            judged
        };
        if judged == Admission::Count {
            let counted = count(store, entry, limit).await?;
            lock(account).backlog.set(counted, now);
            judged = if counted < limit { Admission::Admit } else { Admission::Refuse };
        }
        if judged == Admission::Admit {
            return Ok(());
        }
        let quota = Quota { name: "pending", what: "deliveries that are pending" };
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
        let detail =
            format!("the application has its {limit} {what} (quotas.{name}); try again later");
        ApiError::OverQuota { detail, wait }
    }

    fn count_refusal(&self, quota: &'static str) {
        self.refusals.get_or_create_owned(&QuotaLabels { quota }).inc();
    }

    fn account(&self, application: ApplicationId) -> Account {
        self.accounts.get_or_renew(&application, |_| true, Account::default)
    }

    /// What the application uses, and what it may use.
    pub(crate) async fn usage(&self, call: &Call, entry: &Entry) -> Result<UsageOut, ApiError> {
        let (quotas, now) = (&self.quotas, call.now);
        let at_most = quotas.pending.unwrap_or_default().max(SHOWN);
        let counted = count(call.store(), entry, at_most).await?;
        let mut headers = 0;
        for endpoint in &entry.endpoints {
            headers = headers.max(secrets::open_at_rest(call, &endpoint.headers)?.len());
        }
        let account = self.accounts.get(&entry.application.id);
        let counters = account.as_ref().map(lock);
        let used = |limiter: Option<&Option<Limiter>>| {
            limiter.and_then(Option::as_ref).map_or(0, |it| it.used(now))
        };
        let most = |of: fn(&Endpoint) -> usize| {
            entry.endpoints.iter().map(|it| of(it) as u64).max().unwrap_or_default()
        };
        let of = |used: u64, limit: Option<u64>| Usage { used, limit };
        let counts = |used: u64, limit: Option<usize>| of(used, limit.map(|it| it as u64));
        Ok(UsageOut {
            endpoints: counts(entry.endpoints.len() as u64, quotas.endpoints),
            event_types_per_endpoint: counts(most(event_types), quotas.event_types),
            channels_per_endpoint: counts(most(channels), quotas.channels),
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
}

/// A limit as messages name it.
#[derive(Clone, Copy)]
struct Quota {
    name: &'static str,
    what: &'static str,
}

fn lock(account: &Account) -> MutexGuard<'_, Counters> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn count(store: &dyn Store, entry: &Entry, at_most: u64) -> Result<u64, ApiError> {
    let endpoints: Vec<_> = entry.endpoints.iter().map(|it| it.id).collect();
    Ok(store.backlog(entry.application.id, &endpoints, at_most).await?)
}

fn event_types(endpoint: &Endpoint) -> usize {
    endpoint.event_types.as_ref().map_or(0, Vec::len)
}

fn channels(endpoint: &Endpoint) -> usize {
    endpoint.channels.as_ref().map_or(0, Vec::len)
}

/// Refuses another endpoint of an application that has as many as it may. Call it while no other
/// request changes the application.
pub(crate) async fn check_room(call: &Call, application: ApplicationId) -> Result<(), ApiError> {
    let Some(limit) = call.settings().quotas.endpoints else { return Ok(()) };
    let entry = call.engine().directory().entry(application).await?;
    if entry.is_none_or(|it| it.endpoints.len() < limit) {
        return Ok(());
    }
    call.context.accounts.count_refusal("endpoints");
    let message = format!(
        "the application has {limit} endpoints, the most that it may have (quotas.endpoints)"
    );
    Err(ApiError::invalid(&["body"], message))
}

/// Refuses an endpoint whose lists are too long. Lists that were longer before may stay.
pub(crate) fn check_endpoint(
    call: &Call,
    old: Option<&Endpoint>,
    new: &Endpoint,
) -> Result<(), ApiError> {
    let quotas = &call.settings().quotas;
    let mut problems = Problems::within(&["body"]);
    for (field, name, limit, count) in [
        ("eventTypes", "event_types", quotas.event_types, event_types as fn(&Endpoint) -> usize),
        ("channels", "channels", quotas.channels, channels),
    ] {
        let Some(limit) = limit else { continue };
        let is_fine = count(new) <= limit.max(old.map_or(0, count));
        if !is_fine {
            call.context.accounts.count_refusal(name);
            problems.add(&[field], format!("has more than {limit} items (quotas.{name})"));
        }
    }
    problems.finish()
}

/// Refuses more headers of an endpoint than it may have, unless it had as many before.
pub(crate) fn check_headers(call: &Call, before: usize, after: usize) -> Result<(), ApiError> {
    let Some(limit) = call.settings().quotas.headers else { return Ok(()) };
    if after <= limit.max(before) {
        return Ok(());
    }
    call.context.accounts.count_refusal("headers");
    let message = format!("has more than {limit} items (quotas.headers)");
    Err(ApiError::invalid(&["body", "headers"], message))
}

/// Refuses another source of an application that has as many as it may.
pub(crate) async fn check_sources(call: &Call, application: ApplicationId) -> Result<(), ApiError> {
    let Some(limit) = call.settings().quotas.sources else { return Ok(()) };
    let (mut count, mut scan) = (0, Scan { after: None, ascending: true, limit: PAGE });
    loop {
        let found = call.store().sources(call.organization(), scan.clone()).await?;
        count += found.items.iter().filter(|it| it.application == application).count();
        if count >= limit {
            break;
        }
        let Some(after) = found.resume else { return Ok(()) };
        scan.after = Some(after);
    }
    call.context.accounts.count_refusal("sources");
    let message =
        format!("the application has {limit} sources, the most that it may have (quotas.sources)");
    Err(ApiError::invalid(&["body"], message))
}
