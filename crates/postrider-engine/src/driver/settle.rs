//! Records how attempts ended, and what follows from it.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use postrider::EndpointId;
use postrider_core::{
    delivery::{Attempt, Settlement},
    dispatch::Ended,
    health::Notice,
    retry::Verdict,
    time::Timestamp,
};
use postrider_store::{Record, SettleBatch, StoreError};

use super::{Driver, Finished, Pending};
use crate::{
    directory::Route,
    engine::Shared,
    metrics::{self, AttemptLabels, AttemptResult},
};

/// First and longest wait before a batch that the store did not take is offered again.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Settlements on their way into the store.
#[derive(Default)]
pub(super) struct Settling {
    pub pending: Pending<(Arc<SettleBatch>, Result<(), StoreError>)>,
    waiting: Vec<Settlement>,
    notices: Vec<Told>,
    /// When the first of those that wait came.
    since: Timestamp,
    /// A batch that the store did not take, and when to offer it again.
    failed: Option<(Arc<SettleBatch>, Timestamp)>,
    pause: Duration,
    began_at: Timestamp,
    /// Endpoints that are being disabled.
    disabling: HashSet<EndpointId>,
    /// Those of them whose last attempt is not settled yet: the operator is to see the reason
    /// before the consequence.
    to_disable: Vec<Told>,
    /// Those whose last attempt is in the batch under way.
    ripe: Vec<Told>,
}

/// A notice with what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub notice: Notice,
    pub attempt: Attempt,
    pub route: Route,
}

impl Settling {
    /// So many wait already that no more attempts should be made.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.waiting.len() >= limit
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_none() && self.waiting.is_empty() && self.failed.is_none()
    }

    /// When the next batch is to be handed over.
    pub(super) fn deadline(&self, linger: Duration) -> Timestamp {
        match (&self.pending, &self.failed) {
            (Some(_), _) => Timestamp::MAX,
            (None, Some((_, again_at))) => *again_at,
            (None, None) if self.waiting.is_empty() => Timestamp::MAX,
            (None, None) => self.since + linger,
        }
    }
}

/// What came of an attempt to disable an endpoint.
#[derive(Clone, Copy)]
pub(super) struct Disabling {
    endpoint: EndpointId,
    /// Another node has delivered something since, so the endpoint was not failing throughout.
    is_refuted: bool,
}

impl Driver {
    /// Takes note of a call that ended.
    pub(super) fn finish(&mut self, finished: Finished) {
        let Finished { id, attempt, report } = finished;
        let now = self.shared.clock.now();
        let draw = self.shared.clock.jitter();
        let ended = self.dispatcher.ended(id, report.outcome, now, draw);
        let route = self.routes.get(id.endpoint).expect("a lane has a route").clone();
        let attempt = Attempt {
            id: attempt,
            delivery: id,
            number: ended.delivery.attempt,
            trigger: ended.delivery.trigger,
            at: Timestamp::from_millis(attempt.millis()),
            duration: report.duration,
            url: route.endpoint.url.clone(),
            address: report.address,
            outcome: report.outcome,
            response: Some(report.response),
        };
        self.count(&attempt, ended.verdict);
        self.follow(&ended, &attempt, &route);
        if self.settling.waiting.is_empty() {
            self.settling.since = now;
        }
        self.settling.waiting.push(Settlement {
            delivery: ended.delivery,
            attempt,
            verdict: ended.verdict,
            failing_since: ended.failing_since,
        });
    }

    fn count(&self, attempt: &Attempt, verdict: Verdict) {
        let metrics = &self.shared.metrics;
        let result = match verdict {
            Verdict::Delivered => AttemptResult::Delivered,
            Verdict::RetryAt(_) => AttemptResult::Retried,
            Verdict::GiveUp(_) => AttemptResult::Failed,
        };
        metrics.attempts.get_or_create(&AttemptLabels { result }).inc();
        metrics.attempt_duration.observe(attempt.duration.as_secs_f64());
    }

    /// Sees to the notices of an ended attempt, and to an endpoint that is to be disabled.
    fn follow(&mut self, ended: &Ended, attempt: &Attempt, route: &Route) {
        if self.shared.settings.operator.is_some()
            && let Some(notice) = ended.notice
        {
            let told = Told { notice, attempt: attempt.clone(), route: route.clone() };
            self.settling.notices.push(told);
        }
        let endpoint = route.endpoint.id;
        if let Some(since) = ended.disable
            && self.settling.disabling.insert(endpoint)
        {
            let notice = Notice::Disabled { failing_since: since };
            let told = Told { notice, attempt: attempt.clone(), route: route.clone() };
            self.settling.to_disable.push(told);
        }
    }

    /// Disables the endpoints whose last attempts are settled now.
    fn disable(&mut self) {
        for told in std::mem::take(&mut self.settling.ripe) {
            let shared = Arc::clone(&self.shared);
            self.chores.spawn(async move {
                // After an error or a panic the next failure tries again.
                let is_refuted = match AssertUnwindSafe(shared.disable(&told)).catch_unwind().await
                {
                    Ok(Ok(is_disabled)) => !is_disabled,
                    Ok(Err(error)) => {
                        shared.store_failed("disable endpoint", &error);
                        false
                    },
                    Err(_) => {
                        tracing::error!("internal error: disabling an endpoint panicked");
                        false
                    },
                };
                Disabling { endpoint: told.route.endpoint.id, is_refuted }
            });
        }
    }

    pub(super) fn disabled(&mut self, ended: Disabling) {
        self.settling.disabling.remove(&ended.endpoint);
        if ended.is_refuted {
            self.dispatcher.forget_failing(ended.endpoint);
        }
    }

    /// Hands the next batch to the store, if it is due and none is under way.
    pub(super) fn settle(&mut self, now: Timestamp) {
        let limits = &self.shared.settings.limits;
        if self.settling.pending.is_some() {
            return;
        }
        if let Some((batch, again_at)) = self.settling.failed.take() {
            if again_at > now {
                self.settling.failed = Some((batch, again_at));
            } else {
                self.offer(batch, now);
            }
            return;
        }
        let is_due = self.is_stopping
            || self.settling.waiting.len() >= limits.batch
            || self.settling.deadline(limits.settle_linger) <= now;
        if !is_due || self.settling.waiting.is_empty() {
            return;
        }
        let settlements = std::mem::take(&mut self.settling.waiting);
        self.settling.ripe.append(&mut self.settling.to_disable);
        self.shared.metrics.settle_size.observe(metrics::count(settlements.len()));
        let notices = std::mem::take(&mut self.settling.notices);
        let batch = SettleBatch { settlements, messages: Vec::new() };
        if notices.is_empty() {
            return self.offer(Arc::new(batch), now);
        }
        self.settling.began_at = now;
        let shared = Arc::clone(&self.shared);
        self.settling.pending = Some(Box::pin(async move {
            let messages = shared.operational(&notices).await;
            let batch = Arc::new(SettleBatch { messages, ..batch });
            let result = shared.store.settle(Arc::clone(&batch)).await;
            (batch, result)
        }));
    }

    fn offer(&mut self, batch: Arc<SettleBatch>, now: Timestamp) {
        self.settling.began_at = now;
        let store = Arc::clone(&self.shared.store);
        self.settling.pending = Some(Box::pin(async move {
            let result = store.settle(Arc::clone(&batch)).await;
            (batch, result)
        }));
    }

    pub(super) fn settled(&mut self, (batch, result): (Arc<SettleBatch>, Result<(), StoreError>)) {
        let now = self.shared.clock.now();
        let duration = now.since(self.settling.began_at);
        self.shared.metrics.settle_duration.observe(duration.as_secs_f64());
        if let Err(error) = result {
            self.shared.store_failed("settle", &error);
            self.settling.pause = (self.settling.pause * 2).clamp(PAUSE, PAUSE_MAX);
            self.settling.failed = Some((batch, now + self.settling.pause));
            return;
        }
        self.settling.pause = Duration::ZERO;
        self.disable();
        for settlement in &batch.settlements {
            self.dispatcher.settled(settlement.delivery.id, now);
            if let Verdict::RetryAt(at) = settlement.verdict {
                self.claiming.due(at);
            }
        }
        if !batch.messages.is_empty() {
            self.claiming.due(now);
        }
    }
}

impl Shared {
    /// Disables an endpoint that asked for it or has failed for too long, and tells the operator.
    /// What it still had is paused by the store. `false` if it was not failing throughout.
    async fn disable(&self, told: &Told) -> Result<bool, StoreError> {
        let Route { endpoint, .. } = &told.route;
        let application = endpoint.application;
        if !told.attempt.outcome.gone() {
            let failing = self.store.failing(application).await?;
            if failing.iter().all(|(id, _)| *id != endpoint.id) {
                return Ok(false);
            }
        }
        let named = postrider_store::IdOrUid::Id(endpoint.id);
        if let Some(mut endpoint) = self.store.endpoint(application, &named).await? {
            endpoint.disabled = true;
            endpoint.updated_at = self.clock.now();
            tracing::warn!(endpoint.id = %endpoint.id, "endpoint disabled: it keeps failing");
            self.store.save(Record::Endpoint(endpoint), false).await?;
        }
        self.changed(application).await?;
        let messages = self.operational(std::slice::from_ref(told)).await;
        if !messages.is_empty() {
            self.store.append(messages).await?;
            self.wake(application);
        }
        Ok(true)
    }
}
