//! Follows the deliveries of an endpoint in the store.
//!
//! The position is the id of an attempt. Ids are made before their attempts commit, so that an
//! attempt can become visible after one with a greater id. Each pass therefore reads again what is
//! younger than [`OVERLAP`], and skips what was read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{message::Message, time::Timestamp};
use postrider_store::{AttemptFilter, AttemptsOf, MessageFilter, Scan, Store, StoreError};

/// Longest time between the creation of an attempt's id and its commit.
pub(super) const OVERLAP: Duration = Duration::from_secs(10);

/// Deliveries per query.
const PAGE: usize = 100;

/// A delivery that has been made.
#[derive(Debug)]
pub(super) struct StoredDelivery {
    pub(super) message: Arc<Message>,
    pub(super) at: Timestamp,
}

/// A position in the deliveries of an endpoint.
#[derive(Debug)]
pub(super) struct Position {
    of: AttemptsOf,
    /// Attempts up to this one were read, or are older than the first position.
    floor: AttemptId,
    /// Attempts after the floor that were read, with their messages.
    read: BTreeMap<AttemptId, MessageId>,
    /// Where the pass goes on.
    after: Option<AttemptId>,
    /// When the pass began.
    began_at: Timestamp,
    with_body: bool,
}

impl Position {
    /// Before everything that was delivered at this time or later.
    pub(super) fn new(
        application: ApplicationId,
        endpoint: EndpointId,
        since: Timestamp,
        with_body: bool,
    ) -> Self {
        Self {
            of: AttemptsOf::Endpoint(application, endpoint),
            floor: first_at(before(since)),
            read: BTreeMap::new(),
            after: None,
            began_at: since,
            with_body,
        }
    }

    /// Reads the next page of what was not read before, and whether it was the last one.
    pub(super) async fn read(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<(Vec<StoredDelivery>, bool), StoreError> {
        if self.after.is_none() {
            self.began_at = now;
        }
        let message = MessageFilter { with_body: self.with_body, ..MessageFilter::default() };
        let filter = AttemptFilter { delivered: Some(true), status_class: None, message };
        let scan =
            Scan { after: Some(self.after.unwrap_or(self.floor)), ascending: true, limit: PAGE };
        let found = store.attempts(self.of, filter, scan).await?;
        let mut new = Vec::new();
        for (attempt, message) in found.items {
            if self.read.insert(attempt.id, message.id).is_none() {
                new.push(StoredDelivery { message, at: attempt.at });
            }
        }
        // No attempt older than the overlap can become visible any more.
        let settled = first_at(before(self.began_at));
        let reached = found.resume.map_or(settled, |resume| resume.min(settled));
        self.raise(reached);
        self.after = found.resume;
        Ok((new, self.after.is_none()))
    }

    /// Skips what is older than the overlap.
    pub(super) fn skip_to(&mut self, now: Timestamp) {
        self.after = None;
        self.raise(first_at(before(now)));
    }

    fn raise(&mut self, floor: AttemptId) {
        if floor > self.floor {
            self.floor = floor;
            self.read = self.read.split_off(&floor);
        }
    }

    /// When the last pass began.
    pub(super) const fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// The messages that were read and are younger than the overlap.
    pub(super) fn recent(&self) -> impl Iterator<Item = MessageId> {
        self.read.values().copied()
    }
}

/// When the endpoint got the message first, if it did. It may have been sent again later, but what
/// was delivered in between must not be missed.
pub(super) async fn delivered_at(
    store: &dyn Store,
    application: ApplicationId,
    endpoint: EndpointId,
    message: MessageId,
) -> Result<Option<Timestamp>, StoreError> {
    let of = AttemptsOf::Message(application, message, Some(endpoint));
    let filter = AttemptFilter { delivered: Some(true), ..AttemptFilter::default() };
    let found = store.attempts(of, filter, Scan { after: None, ascending: true, limit: 1 }).await?;
    Ok(found.items.first().map(|(attempt, _)| attempt.at))
}

/// The lowest id that can be made at this moment.
const fn first_at(moment: Timestamp) -> AttemptId {
    AttemptId::from_parts(moment.as_millis() << 12, 0)
}

/// The overlap before this moment.
pub(super) const fn before(moment: Timestamp) -> Timestamp {
    let overlap = OVERLAP.as_secs() * 1_000;
    Timestamp::from_millis(moment.as_millis().saturating_sub(overlap))
}
