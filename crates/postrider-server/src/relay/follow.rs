//! Sends a listener the messages of a source, from its last position.
//!
//! The store is polled, so that it does not matter which node received a message and which node
//! the listener is connected to.
//!
//! The position is a message id. Ids are made before their messages commit, so that a message can
//! become visible after one with a greater id. Each poll therefore reads again what is younger
//! than [`OVERLAP`], and skips the ids that were sent. The same after a reconnect: the listener
//! gets the messages of the last seconds once more, and skips those that it knows.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postrider::{
    ApplicationId, MessageId, SourceId,
    listen::{
        ClientMessage, CloseCode, RelayedRequest, ServerMessage, Start, Started, append_header,
    },
};
use postrider_core::{
    catalog::Source,
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{IdOrUid, MessageFilter, Records, Scan, StoreError};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    connection::{Connection, Ended},
    state::Relay,
};
use crate::{api::path, auth::Principal};

/// How often the store is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Longest time between the creation of an id and the commit of its message.
const OVERLAP: Duration = Duration::from_secs(10);

/// Messages per query.
const PAGE: usize = 100;

/// Sources that are searched for one with a given name.
const MAX_SEARCHED: usize = 1_000;

/// Serves the listener until its connection ends.
pub(super) async fn run(
    relay: &Relay,
    connection: &mut Connection,
    caller: Option<&Principal>,
    start: &Start,
) -> Result<(), Ended> {
    let Some(caller) = caller else {
        let reason = "following a source requires a token of the organization";
        return Err(Ended::Closed { code: CloseCode::Unauthenticated, reason });
    };
    let name = start.source.as_deref().unwrap_or_default();
    let source = find(relay, caller, name).await.map_err(|error| unavailable(&error))?;
    let missing =
        Ended::Closed { code: CloseCode::SourceNotFound, reason: "there is no such source" };
    let source = source.ok_or(missing)?;
    let mut follower = Follower::new(relay, &source, start.after.as_deref());
    let settings = &relay.settings;
    let started = Started {
        token: String::new(),
        url: url(relay, &source),
        response_bytes: Some(settings.limits.relay_answer),
        after: Some(follower.floor.to_string()),
    };
    connection.send(&ServerMessage::Start(started)).await?;
    follower.follow(connection).await
}

/// The source with this id or uid, or else with this name.
async fn find(relay: &Relay, caller: &Principal, name: &str) -> Result<Option<Source>, StoreError> {
    let store = relay.engine.store();
    let organization = &caller.grant.organization;
    if let Some(named) = path::id_or_uid::<SourceId>(name)
        && let Some(source) = store.get::<Source>(organization, &named).await?
    {
        return Ok(Some(source));
    }
    let mut after = None;
    for _ in 0..MAX_SEARCHED / PAGE {
        let scan = Scan { after, ascending: true, limit: PAGE };
        let found = store.list::<Source>(organization, scan).await?;
        if let Some(source) = found.items.into_iter().find(|source| source.name == name) {
            return Ok(Some(source));
        }
        let Some(resume) = found.resume else { break };
        after = Some(resume);
    }
    Ok(None)
}

/// The URL for providers.
fn url(relay: &Relay, source: &Source) -> Option<String> {
    let vault = relay.engine.vault();
    if let Some(url) = &source.public_url {
        return vault.open_at_rest(url).ok();
    }
    let token = vault.open_text(&source.token).ok()?;
    Some(relay.settings.url(&format!("in/{}", token.as_str())))
}

fn unavailable(error: &StoreError) -> Ended {
    tracing::debug!(%error, "messages of a source cannot be read");
    Ended::Closed { code: CloseCode::TryAgainLater, reason: "the store is unavailable" }
}

/// The position of a listener in a source.
#[derive(Debug)]
struct Follower<'a> {
    relay: &'a Relay,
    application: ApplicationId,
    filter: MessageFilter,
    /// Messages up to this one were sent, or are older than the first position.
    floor: MessageId,
    /// Messages after the floor that were sent.
    sent: BTreeSet<MessageId>,
    /// Messages that were sent and have no response yet.
    in_flight: HashSet<String>,
    /// There are more messages than the window permits to send.
    is_behind: bool,
}

impl<'a> Follower<'a> {
    fn new(relay: &'a Relay, source: &Source, after: Option<&str>) -> Self {
        let now = relay.engine.clock().now();
        let after = after.and_then(|it| it.parse::<MessageId>().ok());
        let floor = after.map_or_else(|| at(now), |it| before(Timestamp::from_millis(it.millis())));
        Self {
            relay,
            application: source.application,
            filter: MessageFilter { tag: Some(source.id.to_string()), ..MessageFilter::default() },
            floor,
            sent: BTreeSet::new(),
            in_flight: HashSet::new(),
            is_behind: false,
        }
    }

    /// How many messages may be sent without a response.
    fn window(&self) -> usize {
        self.relay.settings.limits.relay_in_flight
    }

    async fn follow(&mut self, connection: &mut Connection) -> Result<(), Ended> {
        let ping_interval = self.relay.settings.limits.relay_ping;
        let (mut pings, mut polls) = (interval(ping_interval), interval(POLL_INTERVAL));
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = connection.next() => {
                    if let Some(ClientMessage::Event(response)) = message? {
                        self.in_flight.remove(&response.id);
                        // Half of the window at a time, so that a backlog costs one query for
                        // many messages.
                        if self.is_behind && self.in_flight.len() * 2 <= self.window() {
                            self.send_new(connection).await?;
                        }
                    }
                },
                _ = polls.tick() => self.send_new(connection).await?,
                _ = pings.tick() => connection.ping(ping_interval).await?,
            }
        }
    }

    /// Sends new messages, as far as the window permits.
    async fn send_new(&mut self, connection: &mut Connection) -> Result<(), Ended> {
        self.is_behind = false;
        let mut after = Some(self.floor);
        loop {
            let scan = Scan { after, ascending: true, limit: PAGE };
            let store = self.relay.engine.store();
            let found = store.messages(self.application, self.filter.clone(), scan).await;
            let found = found.map_err(|error| unavailable(&error))?;
            for message in &found.items {
                if self.sent.contains(&message.id) {
                    continue;
                }
                if self.in_flight.len() >= self.window() {
                    self.is_behind = true;
                    return Ok(());
                }
                self.send(connection, message.id).await?;
            }
            let Some(resume) = found.resume else { return Ok(()) };
            after = Some(resume);
        }
    }

    async fn send(&mut self, connection: &mut Connection, id: MessageId) -> Result<(), Ended> {
        let store = Arc::clone(self.relay.engine.store());
        let message = store.message(self.application, &IdOrUid::Id(id)).await;
        let message = message.map_err(|error| unavailable(&error))?;
        if let Some(request) = message.and_then(request) {
            self.in_flight.insert(request.id.clone());
            connection.send(&ServerMessage::Event(request)).await?;
        }
        self.sent.insert(id);
        // No message older than the overlap can become visible any more, so that the floor may rise
        // to there.
        let settled = before(self.relay.engine.clock().now());
        self.floor = self.floor.max(id.min(settled));
        self.sent.retain(|it| *it > self.floor);
        Ok(())
    }
}

/// The message as the provider sent it; none if its body has expired.
fn request(message: Message) -> Option<RelayedRequest> {
    let body = message.body?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    match message.format {
        Format::Json => {
            headers.insert("content-type".to_owned(), "application/json".to_owned());
        },
        Format::Raw { headers: original } => {
            for (name, value) in original {
                append_header(&mut headers, name, &value);
            }
        },
    }
    Some(RelayedRequest {
        id: message.id.to_string(),
        method: "POST".to_owned(),
        body: BASE64_STANDARD.encode(body),
        headers,
        target: String::new(),
        event_type: Some(message.event_type.to_string()),
    })
}

/// The lowest id that can be made at this moment.
const fn at(moment: Timestamp) -> MessageId {
    MessageId::from_parts(moment.as_millis() << 12, 0)
}

/// The lowest id that can be made [`OVERLAP`] before this moment.
const fn before(moment: Timestamp) -> MessageId {
    let overlap = OVERLAP.as_secs() * 1_000;
    at(Timestamp::from_millis(moment.as_millis().saturating_sub(overlap)))
}
