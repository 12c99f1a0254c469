//! Recoveries: sending failed deliveries of an endpoint again.

use postrider::MessageId;
use postrider_core::{catalog::Recovery, time::Timestamp};

use crate::memory::state::{DeliveryState, State};

impl State {
    pub(in crate::memory) fn recover(&mut self, now: Timestamp, limit: usize) -> Option<usize> {
        let (recovery, after) = self.recoveries.front().cloned()?;
        let failed: Vec<_> = self
            .deliveries
            .values()
            .filter(|it| it.delivery.id.endpoint == recovery.endpoint)
            .filter(|it| matches!(it.state, DeliveryState::Failed | DeliveryState::Cancelled))
            .map(|it| it.delivery.id)
            // A delivery that fails again meanwhile must not be found again.
            .filter(|id| id.message > after)
            .filter(|id| (recovery.since..recovery.until).contains(&accepted_at(id.message)))
            .take(limit)
            .collect();
        let Recovery { application, mode, .. } = recovery;
        let done = failed.iter().filter(|&&id| self.resend(application, id, now, mode)).count();
        match failed.last() {
            Some(last) if failed.len() == limit => self.recoveries[0].1 = last.message,
            _ => drop(self.recoveries.pop_front()),
        }
        Some(done)
    }
}

const fn accepted_at(message: MessageId) -> Timestamp {
    Timestamp::from_millis(message.millis())
}
