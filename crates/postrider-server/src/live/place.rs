//! The places of readers among those of this node.

use std::{
    collections::hash_map::Entry,
    sync::{Arc, atomic::Ordering},
};

use postrider::{ApplicationId, EndpointId};

use super::{channel::Channel, follower::Follower, holder::holder, state::Live};
use crate::api::error::ApiError;

/// A reader's place among those of this node. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    live: Arc<Live>,
    pub(super) channel: Arc<Channel>,
}

impl Live {
    /// A place for a reader of the endpoint, which may have `max_readers` on this node.
    #[expect(clippy::wildcard_enum_match_arm, reason = "there is one kind that is wanted")]
    pub(super) fn place(
        self: &Arc<Self>,
        application: ApplicationId,
        endpoint: EndpointId,
        max_readers: Option<usize>,
    ) -> Result<Place, ApiError> {
        let hub = self.hub()?;
        let mut channels = self.channels();
        let known = channels.get(&endpoint).map_or(0, |it| it.readers.load(Ordering::Relaxed));
        if max_readers.is_some_and(|max| known >= max) {
            return Err(ApiError::Unavailable(
                "the endpoint has as many readers as it may have (`maxReaders`)",
                None,
            ));
        }
        if !self.readers().take(holder(application), 1) {
            return Err(ApiError::Unavailable(
                "there are too many readers on this server (`limits.live_readers`)",
                None,
            ));
        }
        let channel = match channels.entry(endpoint) {
            Entry::Occupied(entry) if !entry.get().has_ended() => Arc::clone(entry.get()),
            entry => {
                let window = self.settings.limits.live_window;
                let (mark, now) = (self.mark(), self.now());
                let channel = Channel::new(application, endpoint, window, mark, now);
                let channel = Arc::new(channel);
                let inbox = hub.listen(endpoint, Arc::clone(&channel.readers));
                let follower = Follower::new(Arc::clone(self), Arc::clone(&channel), inbox);
                self.tasks.spawn(follower.run());
                entry.insert_entry(Arc::clone(&channel));
                channel
            },
        };
        channel.readers.fetch_add(1, Ordering::Relaxed);
        self.metrics.readers.inc();
        Ok(Place { live: Arc::clone(self), channel })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.channel.readers.fetch_sub(1, Ordering::Relaxed);
        self.live.metrics.readers.dec();
        self.live.readers().release(holder(self.channel.application), 1);
    }
}
