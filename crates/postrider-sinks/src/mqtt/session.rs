//! What one connection has sent and the broker has not confirmed: packet ids and who waits.

use std::collections::HashMap;

use postrider_core::kind::mqtt::confirmation;
use tokio::sync::oneshot;

use crate::failed::Failed;

/// Whether a subscriber matched, or why the broker did not accept the message.
pub(super) type Confirmed = Result<bool, Failed>;

/// The broker's code for a message that it accepted and nobody is subscribed to.
const NO_SUBSCRIBERS: u8 = 0x10;

/// Messages in flight. An id is used again only after its confirmation, also if nobody waits for
/// it any more.
#[derive(Debug)]
pub(super) struct Session {
    max: usize,
    last_id: u16,
    in_flight: HashMap<u16, oneshot::Sender<Confirmed>>,
}

impl Session {
    /// At most `max` messages are in flight.
    pub(super) fn new(max: u16) -> Self {
        Self { max: usize::from(max.max(1)), last_id: 0, in_flight: HashMap::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < self.max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// A message whose caller has given up is not confirmed yet.
    pub(super) fn has_abandoned(&self) -> bool {
        self.in_flight.values().any(oneshot::Sender::is_closed)
    }

    /// The id for a message that is sent now. There must be room.
    pub(super) fn begin(&mut self, waiter: oneshot::Sender<Confirmed>) -> u16 {
        loop {
            // Zero is not an id.
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains_key(&self.last_id) {
                break;
            }
        }
        self.in_flight.insert(self.last_id, waiter);
        self.last_id
    }

    /// The broker has confirmed or refused a message. Unknown ids are ignored.
    pub(super) fn confirm(&mut self, id: u16, code: u8) {
        if let Some(waiter) = self.in_flight.remove(&id) {
            let result = confirmation(code)
                .map_or(Ok(code != NO_SUBSCRIBERS), |reason| Err(Failed::from(reason)));
            // The caller may have given up.
            drop(waiter.send(result));
        }
    }

    /// The connection is gone.
    pub(super) fn fail(&mut self, failed: &Failed) {
        for (_, waiter) in self.in_flight.drain() {
            // The caller may have given up.
            drop(waiter.send(Err(failed.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::outcome::Failure;

    use super::*;

    #[test]
    fn an_id_is_used_again_only_after_its_confirmation() {
        let mut session = Session::new(2);
        let (first, mut waits) = oneshot::channel();
        let kept = session.begin(first);
        for _ in 0..70_000 {
            let (next, _) = oneshot::channel();
            let id = session.begin(next);
            assert_ne!(id, 0);
            assert_ne!(id, kept);
            assert!(!session.has_room());
            session.confirm(id, 0);
        }
        assert!(waits.try_recv().is_err());
        session.confirm(kept, NO_SUBSCRIBERS);
        assert_eq!(waits.try_recv().unwrap(), Ok(false));
        assert!(session.is_empty());
    }

    #[test]
    fn callers_learn_the_reason_of_a_failure() {
        let mut session = Session::new(10);
        let (refused, mut refusal) = oneshot::channel();
        let (cut, mut loss) = oneshot::channel();
        let id = session.begin(refused);
        session.begin(cut);
        session.confirm(id, 0x87);
        session.confirm(9_999, 0);
        assert_eq!(refusal.try_recv().unwrap().unwrap_err().failure, Failure::Misconfigured);
        session.fail(&Failed::new(Failure::Unavailable, "gone"));
        assert_eq!(loss.try_recv().unwrap().unwrap_err().reason, "gone");
    }
}
