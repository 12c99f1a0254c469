//! Brings a reader from the position where it left off to the window of its channel.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use postrider::MessageId;
use postrider_core::{
    live::{LiveEvent, Scope},
    target::Target,
    time::Timestamp,
};
use postrider_store::StoreError;

use super::{
    channel::Channel,
    holder::holder,
    position::{Position, StoredDelivery, before},
    state::Live,
};

/// Pause before the store is read again, if the window does not reach back far enough or memory is
/// short.
const PAUSE: Duration = Duration::from_millis(500);

/// Memory that must be free before a page is read.
const PAGE_RESERVE: usize = 64 << 10;

/// A reader's way through the stored deliveries.
#[derive(Debug)]
pub(super) struct CatchUp {
    position: Position,
    /// Events that were read and not sent yet.
    read: VecDeque<Arc<LiveEvent>>,
    resume: Resume,
    is_complete: bool,
    has_reported: bool,
}

/// What a reader has got already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resume {
    /// The message that the reader got last, with its deliveries up to this time.
    pub(super) last: MessageId,
    pub(super) until: Timestamp,
    /// Deliveries before this are not for the reader.
    pub(super) since: Timestamp,
}

/// What follows in a catch-up.
#[derive(Debug)]
pub(super) enum Step {
    Event(Arc<LiveEvent>),
    /// Bodies have expired: events are missing.
    Missing,
    /// The rest is in the window, from this position on, except these messages that were delivered
    /// before a time.
    Joined {
        position: u64,
        known: HashSet<MessageId>,
        until: Timestamp,
    },
}

impl CatchUp {
    pub(super) const fn new(position: Position, resume: Resume) -> Self {
        Self { position, read: VecDeque::new(), resume, is_complete: false, has_reported: false }
    }

    /// The next step. Dropping the future loses nothing.
    pub(super) async fn next(
        &mut self,
        live: &Live,
        channel: &Channel,
        scope: &Scope,
    ) -> Result<Step, StoreError> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Ok(Step::Event(event));
            }
            if self.is_complete {
                let until = self.position.began_at();
                if let Some(position) = channel.since(before(until)) {
                    let known = self.position.recent().collect();
                    return Ok(Step::Joined { position, known, until });
                }
                // So many events in a few seconds that the window has lost some of them.
                tokio::time::sleep(PAUSE).await;
            }
            let is_missing = self.read_page(live, channel, scope).await?;
            if is_missing && !self.has_reported {
                self.has_reported = true;
                return Ok(Step::Missing);
            }
        }
    }

    /// Reads a page; whether bodies of it are missing.
    async fn read_page(
        &mut self,
        live: &Live,
        channel: &Channel,
        scope: &Scope,
    ) -> Result<bool, StoreError> {
        let _permit = live.store_reads.acquire().await.expect("the semaphore is never closed");
        let holder = holder(channel.application);
        while live.memory.reserve(holder, PAGE_RESERVE).is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        let entry = live.engine.directory().entry(channel.application).await;
        let entry = entry.map_err(|error| StoreError::Unavailable(error.into()))?;
        let target = entry.as_ref().and_then(|it| it.target(channel.endpoint));
        let store = live.engine.store();
        let (deliveries, is_last) = self.position.read(&**store, live.now()).await?;
        self.is_complete = is_last;
        let mut is_missing = false;
        let Some(target) = target else { return Ok(false) };
        for delivery in deliveries.iter().filter(|it| self.resume.is_new(it)) {
            if !scope.admits(&delivery.message.event_type, &delivery.message.channels) {
                continue;
            }
            match event(target, delivery) {
                Some(mut event) => {
                    // It was read already, so that it counts even if memory is short.
                    let reserved = live.memory.force(holder, event.size());
                    event.sse = reserved.bind(event.sse);
                    self.read.push_back(Arc::new(event));
                },
                None => is_missing = true,
            }
        }
        Ok(is_missing)
    }
}

impl Resume {
    /// Whether the reader has not got the delivery yet.
    fn is_new(&self, delivery: &StoredDelivery) -> bool {
        let is_last = delivery.message.id == self.last && delivery.at <= self.until;
        !is_last && delivery.at >= self.since
    }
}

/// The event of a delivery; none if its body has expired.
fn event(target: &Target, delivery: &StoredDelivery) -> Option<LiveEvent> {
    let (config, body) = (target.live()?, delivery.message.body.as_ref()?);
    Some(LiveEvent::new(config, &delivery.message, body, delivery.at, None))
}
