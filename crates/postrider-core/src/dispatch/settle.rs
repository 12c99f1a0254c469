//! Settlements on their way into the store.
//!
//! Settlements are written in batches, one at a time: a batch closes when it is full, when its
//! first settlement has waited long enough, or during a shutdown. While a batch is in flight, the
//! next one collects, so a slow store gets larger batches instead of more of them.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use postrider::EndpointId;

use super::{
    action::{NoticeContext, SettlementBatch},
    config::Config,
};
use crate::{delivery::Settlement, time::Timestamp};

/// First and longest wait before a batch that failed is written again.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Collects settlements, and what follows from them.
#[derive(Debug)]
pub(super) struct SettleState<R> {
    phase: Phase,
    pause: Duration,
    waiting: Vec<Settlement>,
    notices: Vec<NoticeContext<R>>,
    /// When the first settlement of `waiting` came.
    waiting_since: Timestamp,
    /// Endpoints that are being disabled.
    disabling: HashSet<EndpointId>,
    /// Those whose last attempt is in `waiting`. It is written first, so that operators see the
    /// reason before the consequence.
    to_disable: Vec<NoticeContext<R>>,
    /// Those whose last attempt is in the batch in flight, or was written.
    disable_next: VecDeque<NoticeContext<R>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    InFlight,
    /// The driver keeps the batch, to be written again at this time.
    Failed {
        retry_at: Timestamp,
    },
}

impl<R> SettleState<R> {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Idle,
            pause: Duration::ZERO,
            waiting: Vec::new(),
            notices: Vec::new(),
            waiting_since: Timestamp::default(),
            disabling: HashSet::new(),
            to_disable: Vec::new(),
            disable_next: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, settlement: Settlement, now: Timestamp) {
        if self.waiting.is_empty() {
            self.waiting_since = now;
        }
        self.waiting.push(settlement);
    }

    pub(super) fn notify(&mut self, notice: NoticeContext<R>) {
        self.notices.push(notice);
    }

    /// Disables the endpoint once the attempts that wait are written; `context` is made only if
    /// it is not being disabled already.
    pub(super) fn disable(
        &mut self,
        endpoint: EndpointId,
        context: impl FnOnce() -> NoticeContext<R>,
    ) {
        if self.disabling.insert(endpoint) {
            self.to_disable.push(context());
        }
    }

    pub(super) fn disable_ended(&mut self, endpoint: EndpointId) {
        self.disabling.remove(&endpoint);
    }

    /// Whether too many settlements wait to start more calls.
    pub(super) const fn is_full(&self, limit: usize) -> bool {
        self.waiting.len() >= limit
    }

    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.waiting.is_empty() && self.disabling.is_empty()
    }

    /// The next endpoint to disable.
    pub(super) fn next_disable(&mut self) -> Option<NoticeContext<R>> {
        if self.phase == Phase::Idle { self.disable_next.pop_front() } else { None }
    }

    /// Whether the failed batch is due again; it counts as in flight from then on.
    pub(super) fn retry(&mut self, now: Timestamp) -> bool {
        let is_due = matches!(self.phase, Phase::Failed { retry_at } if retry_at <= now);
        if is_due {
            self.phase = Phase::InFlight;
        }
        is_due
    }

    /// The next batch, if one is due.
    pub(super) fn begin(
        &mut self,
        config: &Config,
        is_stopping: bool,
        now: Timestamp,
    ) -> Option<SettlementBatch<R>> {
        if self.phase != Phase::Idle || self.waiting.is_empty() {
            return None;
        }
        let is_due = is_stopping
            || self.waiting.len() >= config.settle_batch
            || self.waiting_since + config.settle_linger <= now;
        if !is_due {
            return None;
        }
        self.phase = Phase::InFlight;
        self.disable_next.extend(self.to_disable.drain(..));
        let settlements = std::mem::take(&mut self.waiting);
        Some(SettlementBatch { settlements, notices: std::mem::take(&mut self.notices) })
    }

    pub(super) fn succeed(&mut self) {
        self.phase = Phase::Idle;
        self.pause = Duration::ZERO;
    }

    pub(super) fn fail(&mut self, now: Timestamp) {
        self.pause = (self.pause * 2).clamp(PAUSE, PAUSE_MAX);
        self.phase = Phase::Failed { retry_at: now + self.pause };
    }

    /// When the next batch is due.
    pub(super) fn deadline(&self, linger: Duration) -> Option<Timestamp> {
        match self.phase {
            Phase::InFlight => None,
            Phase::Failed { retry_at } => Some(retry_at),
            Phase::Idle if self.waiting.is_empty() => None,
            Phase::Idle => Some(self.waiting_since + linger),
        }
    }
}
