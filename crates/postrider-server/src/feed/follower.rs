//! The task that fills the channel of an organization.

use std::{sync::Arc, time::Duration};

use postrider_core::time::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use super::{channel::Channel, poll::Poll, state::Feeds};

/// How often the store is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a channel without readers is kept. A reader that comes back finds what it missed in
/// memory.
const LINGER: Duration = Duration::from_secs(30);

/// Fills the channel of an organization.
#[derive(Debug)]
pub(super) struct Follower {
    feeds: Arc<Feeds>,
    channel: Arc<Channel>,
    poll: Poll,
    /// Since when there have been no readers.
    unused_since: Option<Timestamp>,
}

impl Follower {
    pub(super) fn new(feeds: Arc<Feeds>, channel: Arc<Channel>) -> Self {
        let (engine, now) = (feeds.engine().clone(), feeds.now());
        let poll = Poll::new(engine, channel.organization.clone(), now);
        Self { feeds, channel, poll, unused_since: None }
    }

    /// Runs until the channel has had no readers for a while.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.feeds.now();
            if self.is_unused(now) && self.feeds.remove(&self.channel) {
                return;
            }
            self.read(now).await;
        }
    }

    async fn read(&mut self, now: Timestamp) {
        let memory = &self.feeds.resources().memory;
        match self.poll.pass(now).await {
            Ok(found) => self.channel.publish(found.entries, found.is_incomplete, memory, now),
            Err(error) => tracing::debug!(%error, "the store cannot be read for a feed"),
        }
    }

    fn is_unused(&mut self, now: Timestamp) -> bool {
        if self.channel.has_readers() {
            self.unused_since = None;
            return false;
        }
        now.since(*self.unused_since.get_or_insert(now)) >= LINGER
    }
}
