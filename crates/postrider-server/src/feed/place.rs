//! The places of readers among those of this node.

use std::sync::Arc;

use postrider::OrganizationId;
use postrider_core::budget::CallerKey;

use super::{channel::Channel, follower::Follower, state::Feeds};
use crate::api::error::ApiError;

impl Feeds {
    /// A place for a reader of the organization's feed.
    pub(super) fn place(
        self: &Arc<Self>,
        organization: &OrganizationId,
        caller: CallerKey,
    ) -> Result<Place, ApiError> {
        let holder = holder(caller);
        if !self.readers().take(holder, 1) {
            return Err(ApiError::Unavailable(
                "there are too many readers on this server (`limits.live_readers`)",
                None,
            ));
        }
        let mut channels = self.channels();
        let existing = channels.get(organization).filter(|it| !it.has_ended()).cloned();
        let channel = existing.unwrap_or_else(|| {
            let bytes = self.resources().settings.limits.live_window;
            let channel = Arc::new(Channel::new(organization.clone(), holder, bytes));
            let follower = Follower::new(Arc::clone(self), Arc::clone(&channel));
            self.resources().tasks.spawn(follower.run());
            channels.insert(organization.clone(), Arc::clone(&channel));
            channel
        });
        // Before another task can remove the channel.
        channel.enter();
        drop(channels);
        self.metrics.readers.inc();
        Ok(Place { feeds: Arc::clone(self), channel, holder })
    }
}

/// Who holds a caller's readers and the entries that are kept for them. It is another one than for
/// the caller's requests, so that the two do not crowd each other out.
const fn holder(caller: CallerKey) -> CallerKey {
    caller ^ 1 << 127
}

/// A reader's place among those of this node. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    feeds: Arc<Feeds>,
    pub(super) channel: Arc<Channel>,
    holder: CallerKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.channel.leave();
        self.feeds.metrics.readers.dec();
        self.feeds.readers().release(self.holder, 1);
    }
}
