//! One reader of a feed: what it receives next.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use postrider_core::{
    connections::ConnectionAction,
    live::{self, Lookup, StreamEnd},
    time::Timestamp,
};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    channel::Item,
    entry::{FeedEntry, millis},
    filter::Filter,
    place::Place,
    poll::Poll,
    state::{Credentials, Feeds},
};
use crate::{api::error::ApiError, auth::Principal, http::StreamGuard};

/// How often a silent stream sends a comment, and the token is checked again.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The connection of a reader.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) actions: watch::Receiver<ConnectionAction>,
    /// The connection does not count as one of the API while this exists.
    pub(super) _stream: StreamGuard,
}

/// What a reader needs.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) principal: Arc<Principal>,
    pub(super) credentials: Credentials,
    pub(super) filter: Filter,
    pub(super) place: Place,
    pub(super) connection: Option<Connection>,
}

/// One reader of a feed.
#[derive(Debug)]
pub(super) struct Reader {
    feeds: Arc<Feeds>,
    opening: Opening,
    changes: watch::Receiver<Option<StreamEnd>>,
    /// What to send first.
    first: VecDeque<Bytes>,
    /// Entries that the reader has got from the store, and may find in the window again.
    known: HashSet<u128>,
    position: u64,
    checks_at: Instant,
    ends_at: Instant,
    has_ended: bool,
}

impl Reader {
    /// A reader of what happens from now on.
    pub(super) fn new(feeds: Arc<Feeds>, opening: Opening) -> Self {
        let channel = &opening.place.channel;
        let now = Instant::now();
        // Not all at once, so that readers that came at the same time do not come back at the same
        // time.
        let jitter = feeds.engine().clock().jitter().0.abs().min(1.0);
        let age = feeds.resources().settings.limits.connection_max_age.mul_f64(1.0 - jitter / 4.0);
        Self {
            changes: channel.changes(),
            position: channel.end_position(),
            first: VecDeque::new(),
            known: HashSet::new(),
            checks_at: now + HEARTBEAT,
            ends_at: now + age,
            has_ended: false,
            opening,
            feeds,
        }
    }

    /// Goes on after the entry that the reader got last. From the store, the reader may get some
    /// entries again.
    pub(super) async fn resume(&mut self, last: u128) -> Result<(), ApiError> {
        if let Some(position) = self.opening.place.channel.after(last) {
            self.position = position;
            return Ok(());
        }
        let organization = self.opening.place.channel.organization.clone();
        let now = self.feeds.now();
        let since = Timestamp::from_millis(millis(last)).min(now);
        let found = {
            let _permit = self.feeds.store_read().await;
            Poll::single(self.feeds.engine().clone(), organization, since).pass(now).await?
        };
        let memory = &self.feeds.resources().memory;
        for entry in found.entries.into_iter().filter(|entry| entry.id != last) {
            self.known.insert(entry.id);
            if self.opening.filter.admits(&entry.facts) {
                let reserved = memory.reserve(self.opening.principal.holder, entry.size())?;
                self.first.push_back(reserved.bind(entry.sse));
            }
        }
        if found.is_incomplete {
            self.first.push_back(incomplete());
        }
        Ok(())
    }

    /// The next bytes; none after the last ones.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        loop {
            if let Some(first) = self.first.pop_front() {
                return Some(first);
            }
            let end = *self.changes.borrow_and_update();
            if let Some(end) = end {
                return Some(self.end(end));
            }
            match self.advance() {
                Ok(Some(bytes)) => return Some(bytes),
                Ok(None) => {},
                Err(end) => return Some(self.end(end)),
            }
            if let Some(bytes) = self.pause().await {
                return Some(bytes);
            }
        }
    }

    /// The next item of the window that the reader wants.
    fn advance(&mut self) -> Result<Option<Bytes>, StreamEnd> {
        loop {
            let item = match self.opening.place.channel.at(self.position) {
                Lookup::Item(item) => item,
                Lookup::Pending => return Ok(None),
                Lookup::Lost => {
                    self.feeds.metrics.dropped.inc();
                    return Err(StreamEnd::TooSlow);
                },
            };
            self.position += 1;
            match item {
                Item::Entry(entry) if self.wants(&entry) => return Ok(Some(entry.sse.clone())),
                Item::Entry(_) => {},
                Item::Incomplete => return Ok(Some(incomplete())),
            }
        }
    }

    fn wants(&mut self, entry: &FeedEntry) -> bool {
        self.opening.filter.admits(&entry.facts) && !self.known.remove(&entry.id)
    }

    /// Waits for the next item.
    async fn pause(&mut self) -> Option<Bytes> {
        let wakes_at = self.checks_at.min(self.ends_at);
        tokio::select! {
            biased;
            () = finished(self.opening.connection.as_mut()) => {
                return Some(self.end(StreamEnd::Reconnect));
            },
            changed = self.changes.changed() => {
                return changed.err().map(|_| self.end(StreamEnd::Reconnect));
            },
            () = sleep_until(wakes_at) => {},
        }
        if self.ends_at <= Instant::now() {
            return Some(self.end(StreamEnd::Reconnect));
        }
        self.checks_at = Instant::now() + HEARTBEAT;
        Some(if self.is_admitted().await {
            live::comment()
        } else {
            self.end(StreamEnd::TokenRevoked)
        })
    }

    /// Whether the token or the session is still valid, as far as the store can be read.
    async fn is_admitted(&self) -> bool {
        let checked = self.feeds.admit(&self.opening.credentials).await;
        !matches!(checked, Err(ApiError::Unauthenticated(_) | ApiError::Forbidden(_)))
    }

    /// Ends the stream.
    fn end(&mut self, end: StreamEnd) -> Bytes {
        self.has_ended = true;
        live::control("end", &json!({ "reason": end.reason(), "detail": end.detail() }), false)
    }
}

/// Says that more happened than the stream shows.
fn incomplete() -> Bytes {
    let reason = "more happened than is shown; use the lists of the API to see all of it";
    live::control("gap", &json!({ "reason": reason }), false)
}

/// Waits until the connection is to end.
async fn finished(connection: Option<&mut Connection>) {
    let Some(connection) = connection else { return std::future::pending().await };
    let is_over = |action: &ConnectionAction| *action != ConnectionAction::Keep;
    if connection.actions.wait_for(is_over).await.is_err() {
        std::future::pending::<()>().await;
    }
}
