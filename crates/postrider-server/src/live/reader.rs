//! One reader: what it receives next.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use postrider::MessageId;
use postrider_core::{
    connections::ConnectionAction,
    live::{self, EventId, LiveEvent, Lookup, Scope, StreamEnd},
    time::Timestamp,
};
use postrider_store::StoreError;
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;

use super::{
    catch_up::{CatchUp, Resume, Step},
    position::{self, OVERLAP, Position, before},
    state::{Live, Place},
    token::LiveGrant,
};
use crate::http::StreamGuard;

/// What a reader receives.
#[derive(Debug)]
pub(super) enum Item {
    Event(Arc<LiveEvent>),
    /// The position of a reader that has received no event yet.
    Position(MessageId),
    /// Events are missing.
    Gap(Value),
    /// Nothing happened for a while.
    Heartbeat,
    /// The last item.
    End(StreamEnd),
}

/// One reader of an endpoint.
#[derive(Debug)]
pub(super) struct Reader {
    live: Arc<Live>,
    place: Place,
    scope: Scope,
    creator: Option<[u8; 16]>,
    changes: watch::Receiver<Option<StreamEnd>>,
    connection: Option<Connection>,
    /// What to send first, in reverse order.
    first: Vec<Item>,
    stage: Stage,
    heartbeat: Duration,
    silent_until: Instant,
    ends_at: Instant,
    end: StreamEnd,
    has_ended: bool,
}

/// The connection of a reader.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) actions: watch::Receiver<ConnectionAction>,
    /// The connection does not count as one of the API while this exists.
    pub(super) _stream: StreamGuard,
}

/// Where a reader is.
#[derive(Debug)]
enum Stage {
    /// In the store.
    Stored(Box<CatchUp>),
    /// In the window of the channel.
    Window {
        position: u64,
        /// Events that were delivered before are not for this reader.
        since: Timestamp,
        /// What the reader has got from the store, and may find in the window again.
        known: Option<Box<Known>>,
    },
}

/// The messages that were delivered shortly before this time.
#[derive(Debug)]
struct Known {
    messages: HashSet<MessageId>,
    until: Timestamp,
}

/// What a reader needs.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) grant: LiveGrant,
    pub(super) heartbeat: Duration,
    pub(super) place: Place,
    pub(super) connection: Option<Connection>,
}

impl Reader {
    /// A reader of what is delivered from now on.
    pub(super) fn new(live: Arc<Live>, opening: Opening) -> Self {
        let Opening { grant, heartbeat, place, connection } = opening;
        let (now, instant) = (live.now(), Instant::now());
        // Not all at once, so that readers that came at the same time do not come back at the same
        // time.
        let max_age = live.settings.limits.connection_max_age;
        let age = max_age.mul_f64(1.0 - live.engine.clock().jitter().0.abs().min(1.0) / 4.0);
        let left = grant.expires_at.since(now);
        let (lasts, end) =
            if left <= age { (left, StreamEnd::TokenExpired) } else { (age, StreamEnd::Reconnect) };
        let stage =
            Stage::Window { position: place.channel.end_position(), since: now, known: None };
        Self {
            changes: place.channel.changes(),
            scope: grant.scope,
            creator: grant.creator,
            connection,
            first: vec![Item::Position(position_at(now))],
            stage,
            heartbeat,
            silent_until: instant + heartbeat,
            ends_at: instant + lasts,
            end,
            has_ended: false,
            live,
            place,
        }
    }

    /// Goes on after the event that the reader got last.
    pub(super) async fn resume(&mut self, last: &str) -> Result<(), StoreError> {
        let Ok(last) = last.parse::<EventId>() else {
            self.first.push(gap(Some(last), "it is not the id of an event"));
            return Ok(());
        };
        self.first.clear();
        if let Some(stage) = self.resume_in_window(last) {
            self.stage = stage;
            return Ok(());
        }
        self.resume_from_store(last.message).await
    }

    /// Where the reader goes on, if everything that it may have missed is in the window.
    fn resume_in_window(&self, last: EventId) -> Option<Stage> {
        let channel = &self.place.channel;
        if let Some(position) = channel.after(last) {
            return Some(Stage::Window { position, since: Timestamp::default(), known: None });
        }
        let accepted_at = self.accepted_at(last.message);
        if last.message == position_at(accepted_at) {
            let position = channel.all_since(accepted_at)?;
            return Some(Stage::Window { position, since: accepted_at, known: None });
        }
        // The event is from another window, whose order may have been another one.
        let until = channel.delivered_at(last.message).unwrap_or(accepted_at);
        let since = before(until);
        let position = channel.all_since(since)?;
        let known = Known { messages: HashSet::from([last.message]), until };
        Some(Stage::Window { position, since, known: Some(Box::new(known)) })
    }

    /// When a message was accepted, by the id that a client claims.
    fn accepted_at(&self, message: MessageId) -> Timestamp {
        Timestamp::from_millis(message.millis()).min(self.live.now())
    }

    async fn resume_from_store(&mut self, last: MessageId) -> Result<(), StoreError> {
        let (now, accepted_at) = (self.live.now(), self.accepted_at(last));
        let (application, endpoint) = (self.place.channel.application, self.place.channel.endpoint);
        let store = self.live.engine.store();
        let delivered_at = position::delivered_at(&**store, application, endpoint, last).await?;
        if delivered_at.is_none() && now.since(accepted_at) > self.live.settings.payload_retention {
            self.first.push(gap(Some(&last.to_string()), "it has expired"));
        }
        let is_position = last == position_at(accepted_at);
        let resume = Resume {
            last,
            until: delivered_at.unwrap_or_default(),
            since: if is_position { accepted_at } else { Timestamp::default() },
        };
        let since = delivered_at.unwrap_or(accepted_at);
        let position = Position::new(application, endpoint, since, true);
        self.stage = Stage::Stored(Box::new(CatchUp::new(position, resume)));
        Ok(())
    }

    /// The next item; none after the last one. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Item> {
        if self.has_ended {
            return None;
        }
        let item = self.wait().await;
        match item {
            Item::End(StreamEnd::TooSlow) => {
                self.live.metrics.dropped.inc();
                self.has_ended = true;
            },
            Item::End(_) => self.has_ended = true,
            Item::Event(_) | Item::Position(_) | Item::Gap(_) | Item::Heartbeat => {
                self.silent_until = Instant::now() + self.heartbeat;
            },
        }
        Some(item)
    }

    async fn wait(&mut self) -> Item {
        loop {
            if let Some(end) = *self.changes.borrow_and_update() {
                return Item::End(end);
            }
            if self.ends_at <= Instant::now() {
                return Item::End(self.end);
            }
            if let Some(first) = self.first.pop() {
                return first;
            }
            if let Some(item) = self.advance() {
                return item;
            }
            let item = match self.stage {
                // In a box, because the future is large and rarely needed, and there are many
                // readers.
                Stage::Stored(_) => Box::pin(self.read_stored()).await,
                Stage::Window { .. } => self.pause().await,
            };
            if let Some(item) = item {
                return item;
            }
        }
    }

    /// The next item of the window, if the reader is there and there is one.
    fn advance(&mut self) -> Option<Item> {
        let Stage::Window { position, since, known } = &mut self.stage else { return None };
        loop {
            let event = match self.place.channel.at(*position) {
                Lookup::Item(event) => event,
                Lookup::Pending => return None,
                Lookup::Lost => return Some(Item::End(StreamEnd::TooSlow)),
            };
            *position += 1;
            if known.as_ref().is_some_and(|it| event.at > it.until + OVERLAP) {
                *known = None;
            }
            let is_known = known
                .as_ref()
                .is_some_and(|it| event.at <= it.until && it.messages.contains(&event.id));
            if !is_known
                && event.at >= *since
                && self.scope.admits(&event.event_type, &event.channels)
            {
                return Some(Item::Event(event));
            }
        }
    }

    /// Waits for the next event of the window.
    async fn pause(&mut self) -> Option<Item> {
        let wakes_at = self.silent_until.min(self.ends_at);
        tokio::select! {
            biased;
            () = finished(self.connection.as_mut()) => Some(Item::End(StreamEnd::Reconnect)),
            changed = self.changes.changed() => {
                changed.err().map(|_| Item::End(StreamEnd::EndpointGone))
            },
            () = sleep_until(wakes_at) => self.wake(),
        }
    }

    /// Waits for the next event of the store. New events of the window do not interrupt this.
    async fn read_stored(&mut self) -> Option<Item> {
        let Stage::Stored(catch_up) = &mut self.stage else { return None };
        let wakes_at = self.silent_until.min(self.ends_at);
        let channel = &self.place.channel;
        let step = tokio::select! {
            biased;
            () = finished(self.connection.as_mut()) => {
                return Some(Item::End(StreamEnd::Reconnect));
            },
            ended = self.changes.wait_for(Option::is_some) => {
                return Some(Item::End(ended.ok().and_then(|it| *it).unwrap_or(StreamEnd::Reconnect)));
            },
            step = catch_up.next(&self.live, channel, &self.scope) => Some(step),
            () = sleep_until(wakes_at) => None,
        };
        let Some(step) = step else { return self.wake() };
        match step {
            Ok(Step::Event(event)) => Some(Item::Event(event)),
            Ok(Step::Missing) => Some(gap(None, "the payloads of some messages have expired")),
            Ok(Step::Joined { position, known: messages, until }) => {
                let known = Some(Box::new(Known { messages, until }));
                self.stage = Stage::Window { position, since: Timestamp::default(), known };
                None
            },
            Err(error) => {
                tracing::debug!(%error, "stored events cannot be read");
                Some(Item::End(StreamEnd::StoreUnavailable))
            },
        }
    }

    /// What follows when the stream has been silent for a while, or has reached its end.
    fn wake(&self) -> Option<Item> {
        (self.ends_at > Instant::now()).then(|| self.heartbeat())
    }

    fn heartbeat(&self) -> Item {
        if self.is_revoked() { Item::End(StreamEnd::TokenRevoked) } else { Item::Heartbeat }
    }

    /// Whether the token that created this reader's token was revoked, as far as that is in memory.
    fn is_revoked(&self) -> bool {
        let Some(creator) = self.creator else { return false };
        self.place.channel.is_revoked(creator)
    }

    /// Ends the stream with the next item.
    pub(super) fn end(&mut self, end: StreamEnd) {
        self.first.push(Item::End(end));
    }

    /// For a task that serves the reader.
    pub(super) fn tasks(&self) -> TaskTracker {
        self.live.tasks.clone()
    }

    pub(super) const fn heartbeat_interval(&self) -> Duration {
        self.heartbeat
    }

    /// How long the reader may take to receive an item.
    pub(super) fn write_timeout(&self) -> Duration {
        self.live.settings.limits.write_timeout
    }

    /// Counts a reader that does not read.
    pub(super) fn count_dropped(&self) {
        self.live.metrics.dropped.inc();
    }

    /// When the client should connect again after the end, between `least` and `spread` more.
    pub(super) fn retry_after(&self, least: Duration, spread: Duration) -> Duration {
        least + spread.mul_f64(self.live.engine.clock().jitter().0)
    }
}

/// Waits until the connection is to end.
async fn finished(connection: Option<&mut Connection>) {
    let Some(connection) = connection else { return std::future::pending().await };
    let is_over = |action: &ConnectionAction| *action != ConnectionAction::Keep;
    if connection.actions.wait_for(is_over).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The id that marks a position in time and names no message.
const fn position_at(time: Timestamp) -> MessageId {
    MessageId::from_parts(time.as_millis() << 12, 0)
}

fn gap(requested: Option<&str>, reason: &str) -> Item {
    let mut data = json!({ "reason": reason });
    if let Some(requested) = requested {
        data["requested"] = requested.chars().take(64).collect::<String>().into();
    }
    Item::Gap(data)
}

impl Item {
    /// As a Server-Sent Event.
    pub(super) fn sse(&self) -> Bytes {
        match self {
            Self::Event(event) => event.sse.clone(),
            Self::Position(id) => live::seen(*id),
            Self::Gap(data) => live::control("gap", data, false),
            Self::Heartbeat => live::comment(),
            Self::End(end) => live::control("end", &ending(*end), false),
        }
    }
}

/// What the last item says.
pub(super) fn ending(end: StreamEnd) -> Value {
    json!({ "reason": end.reason(), "detail": end.detail() })
}
