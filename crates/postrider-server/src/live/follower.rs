//! The task that fills the channel of an endpoint.

use std::{collections::HashMap, sync::Arc, time::Duration};

use postrider::MessageId;
use postrider_core::{
    live::{LiveEvent, StreamEnd},
    message::Message,
    target::Target,
    time::Timestamp,
};
use postrider_engine::{LiveDelivery, LiveInbox};
use postrider_store::{IdOrUid, StoreError};
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval},
};

use super::{
    channel::Channel,
    position::{OVERLAP, Position, StoredDelivery},
    state::Live,
};

/// How often the store is polled, and changes of the endpoint are noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a channel without readers is kept. A reader that comes back finds what it missed in
/// memory.
const LINGER: Duration = Duration::from_secs(30);

/// How long deliveries of this node are remembered, to recognize their attempts in the store.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Fills the channel of an endpoint.
#[derive(Debug)]
pub(super) struct Follower {
    live: Arc<Live>,
    channel: Arc<Channel>,
    inbox: LiveInbox,
    position: Position,
    /// Deliveries of this node whose attempts were not read yet: how many, and when the last one
    /// was made.
    own: HashMap<MessageId, (u32, Timestamp)>,
    /// A store that belongs to this process is polled until then only: all its deliveries come
    /// through the inbox, except those that were made before there was one or that did not fit.
    polls_until: Timestamp,
    /// Since when there have been no readers.
    unused_since: Option<Timestamp>,
}

impl Follower {
    pub(super) fn new(live: Arc<Live>, channel: Arc<Channel>, inbox: LiveInbox) -> Self {
        let now = live.now();
        let position = Position::new(channel.application, channel.endpoint, now, false);
        let polls_until = now + 2 * OVERLAP;
        Self {
            live,
            channel,
            inbox,
            position,
            own: HashMap::new(),
            polls_until,
            unused_since: None,
        }
    }

    /// Runs until the channel has had no readers for a while, or the endpoint is gone.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                delivery = self.inbox.next() => self.pass_on(delivery).await,
                _ = ticks.tick() => {
                    if self.tick().await {
                        return;
                    }
                },
            }
        }
    }

    /// Publishes what this node delivers.
    async fn pass_on(&mut self, first: LiveDelivery) {
        let Some(target) = self.target().await else { return };
        self.publish_own(&target, Some(first)).await;
    }

    /// Publishes a delivery of this node and those that are in the inbox.
    async fn publish_own(&mut self, target: &Target, first: Option<LiveDelivery>) {
        let mut next = first.or_else(|| self.inbox.try_next());
        while let Some(LiveDelivery { message, body, at }) = next {
            let own = self.own.entry(message.id).or_insert((0, at));
            *own = (own.0 + 1, at);
            self.publish(target, &message, &body, at).await;
            next = self.inbox.try_next();
        }
    }

    /// Reads from the store and removes what is not needed any more; `true` if that is everything.
    async fn tick(&mut self) -> bool {
        let now = self.live.now();
        let Some(target) = self.target().await else {
            self.channel.end(StreamEnd::EndpointGone);
            return self.live.remove(&self.channel);
        };
        if self.inbox.take_missed() {
            self.polls_until = now + 2 * OVERLAP;
        }
        if self.live.engine.store().is_shared() || now < self.polls_until {
            if let Err(error) = self.poll(&target).await {
                tracing::debug!(%error, endpoint.id = %self.channel.endpoint, "the store cannot be polled");
            }
        } else {
            self.position.skip_to(now);
        }
        self.own.retain(|_, (_, at)| now.since(*at) < REMEMBERED);
        self.is_unused(now) && self.live.remove(&self.channel)
    }

    fn is_unused(&mut self, now: Timestamp) -> bool {
        if self.channel.readers.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            self.unused_since = None;
            return false;
        }
        now.since(*self.unused_since.get_or_insert(now)) >= LINGER
    }

    /// The endpoint as it is now; none if it has no stream any more. While the store is
    /// unavailable, nothing can have changed.
    async fn target(&self) -> Option<Arc<Target>> {
        let channel = &self.channel;
        loop {
            match self.live.engine.directory().entry(channel.application).await {
                Ok(entry) => {
                    let entry = entry?;
                    channel.set_revoked(&entry.application.ended_tokens);
                    let endpoint = entry.endpoints.iter().find(|it| it.id == channel.endpoint)?;
                    let target = entry.target(channel.endpoint)?;
                    return (!endpoint.disabled && target.live().is_some())
                        .then(|| Arc::clone(target));
                },
                Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Publishes what other nodes delivered.
    async fn poll(&mut self, target: &Target) -> Result<(), StoreError> {
        let store = Arc::clone(self.live.engine.store());
        loop {
            let (deliveries, is_last) = self.position.read(&*store, self.live.now()).await?;
            // A delivery of this node reaches the inbox before its attempt is stored, so whatever
            // was just read of them is there.
            self.publish_own(target, None).await;
            for StoredDelivery { message, at } in deliveries {
                if self.is_own(message.id) {
                    continue;
                }
                let key = IdOrUid::Id(message.id);
                let stored = store.message(self.channel.application, &key).await?;
                if let Some(message) = stored
                    && let Some(body) = &message.body
                {
                    self.publish(target, &message, body, at).await;
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Whether the message is one that this node has delivered and published.
    fn is_own(&mut self, message: MessageId) -> bool {
        let Some((count, _)) = self.own.get_mut(&message) else { return false };
        *count -= 1;
        if *count == 0 {
            self.own.remove(&message);
        }
        true
    }

    /// Publishes an event, and lets the readers take it before the next one: as long as they read,
    /// the window cannot outrun them.
    async fn publish(&self, target: &Target, message: &Message, body: &[u8], at: Timestamp) {
        let Some(config) = target.live() else { return };
        let event = LiveEvent::new(config, message, body, at, Some(self.channel.mark));
        self.channel.publish(event, &self.live.memory, self.live.now());
        yield_now().await;
    }
}
