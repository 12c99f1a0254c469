//! Sends a listening program what a source received, from where the program was.
//!
//! The store is asked again and again, so that it does not matter which node received
//! something, nor which node the program is connected to. Messages become visible in another
//! order than that of their ids, if only by moments; so what is younger than [`OVERLAP`] is
//! gone through each time, and what was sent is remembered for so long.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postrider::{ApplicationId, MessageId, SourceId};
use postrider_core::{
    catalog::Source,
    message::{Format, Message},
    time::Timestamp,
};
use postrider_store::{IdOrUid, MessageFilter, Scan, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Relay,
    listen::{Ended, Line, POLICY, TRY_AGAIN},
    pass::MISSED,
    wire::{Event, Incoming, Start, Started},
};
use crate::{auth::Caller, operations::call};

/// How often the store is asked.
const POLL: Duration = Duration::from_millis(500);

/// Longest time that passes between the making of an id and its message being visible.
const OVERLAP: Duration = Duration::from_secs(10);

/// Messages that the store is asked for at a time.
const PAGE: usize = 100;

/// Sources that are gone through to find one by its name.
const NAMED: usize = 1_000;

pub(super) async fn run(
    relay: &Relay,
    line: &mut Line,
    caller: Option<&Caller>,
    start: &Start,
) -> Result<(), Ended> {
    let Some(caller) = caller else {
        let reason = "a source needs a token of the organization";
        return Err(Ended::Refused { code: POLICY, reason });
    };
    let name = start.source.as_deref().unwrap_or_default();
    let source = find(relay, caller, name).await.map_err(|error| unavailable(&error))?;
    let missing = Ended::Refused { code: POLICY, reason: "there is no such source" };
    let source = source.ok_or(missing)?;
    let mut follower = Follower::new(relay, &source, start.after.as_deref());
    let settings = &relay.context.settings;
    let started = Started {
        token: String::new(),
        url: url(relay, &source),
        answer_bytes: settings.limits.relay_answer,
        after: Some(follower.floor.to_string()),
    };
    line.say(started.to_json()).await?;
    follower.follow(line).await
}

/// The source with this id, uid or else name.
async fn find(relay: &Relay, caller: &Caller, name: &str) -> Result<Option<Source>, StoreError> {
    let store = relay.context.engine.store();
    let organization = &caller.grant.organization;
    if let Some(named) = call::named::<SourceId>(name)
        && let Some(source) = store.source(organization, &named).await?
    {
        return Ok(Some(source));
    }
    let mut after = None;
    for _ in 0..NAMED / PAGE {
        let scan = Scan { after, ascending: true, limit: PAGE };
        let found = store.sources(organization, scan).await?;
        if let Some(source) = found.items.into_iter().find(|it| it.name == name) {
            return Ok(Some(source));
        }
        let Some(resume) = found.resume else { break };
        after = Some(resume);
    }
    Ok(None)
}

/// Where providers post to.
fn url(relay: &Relay, source: &Source) -> Option<String> {
    let vault = relay.context.engine.vault();
    if let Some(url) = &source.public_url {
        return vault.open_at_rest(url).ok();
    }
    let token = vault.open_text(&source.token).ok()?;
    Some(relay.context.settings.url(&format!("in/{}", token.as_str())))
}

fn unavailable(error: &StoreError) -> Ended {
    tracing::debug!(%error, "a source cannot be followed");
    Ended::Refused { code: TRY_AGAIN, reason: "the store is unavailable" }
}

/// Where a program stands.
#[derive(Debug)]
struct Follower<'a> {
    relay: &'a Relay,
    application: ApplicationId,
    filter: MessageFilter,
    /// What is not behind this was sent, or is not wanted.
    floor: MessageId,
    /// Sent, and behind the floor.
    sent: BTreeSet<MessageId>,
    /// Sent, and not answered yet.
    open: HashSet<String>,
    /// There is more than the program could be sent.
    is_behind: bool,
}

impl<'a> Follower<'a> {
    fn new(relay: &'a Relay, source: &Source, after: Option<&str>) -> Self {
        let now = relay.context.engine.clock().now();
        let after = after.and_then(|it| it.parse::<MessageId>().ok());
        let floor = after.map_or_else(|| at(now), |it| before(Timestamp::from_millis(it.millis())));
        Self {
            relay,
            application: source.application,
            filter: MessageFilter { tag: Some(source.id.to_string()), ..MessageFilter::default() },
            floor,
            sent: BTreeSet::new(),
            open: HashSet::new(),
            is_behind: false,
        }
    }

    /// How many messages the program may have to answer at a time.
    fn window(&self) -> usize {
        self.relay.context.settings.limits.relay_in_flight
    }

    async fn follow(&mut self, line: &mut Line) -> Result<(), Ended> {
        let every = self.relay.context.settings.limits.relay_ping;
        let (mut pings, mut polls) = (interval(every), interval(POLL));
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard_at = Instant::now();
        loop {
            tokio::select! {
                said = line.next() => {
                    heard_at = Instant::now();
                    if let Some(Incoming::Event(answer)) = said? {
                        self.open.remove(&answer.id);
                        if self.is_behind && self.open.len() * 2 <= self.window() {
                            self.send_new(line).await?;
                        }
                    }
                },
                _ = polls.tick() => self.send_new(line).await?,
                _ = pings.tick() => {
                    if heard_at.elapsed() > every * MISSED {
                        return Err(Ended::Gone);
                    }
                    line.ping().await?;
                },
            }
        }
    }

    /// Sends what has come, as far as the program has room for it.
    async fn send_new(&mut self, line: &mut Line) -> Result<(), Ended> {
        self.is_behind = false;
        let mut after = Some(self.floor);
        loop {
            let scan = Scan { after, ascending: true, limit: PAGE };
            let store = self.relay.context.engine.store();
            let found = store.messages(self.application, self.filter.clone(), scan).await;
            let found = found.map_err(|error| unavailable(&error))?;
            for message in &found.items {
                if self.sent.contains(&message.id) {
                    continue;
                }
                if self.open.len() >= self.window() {
                    self.is_behind = true;
                    return Ok(());
                }
                self.send(line, message.id).await?;
            }
            let Some(resume) = found.resume else { return Ok(()) };
            after = Some(resume);
        }
    }

    async fn send(&mut self, line: &mut Line, id: MessageId) -> Result<(), Ended> {
        let store = Arc::clone(self.relay.context.engine.store());
        let message = store.message(self.application, &IdOrUid::Id(id)).await;
        let message = message.map_err(|error| unavailable(&error))?;
        if let Some(event) = message.and_then(event) {
            self.open.insert(event.id.clone());
            line.say(event.to_json()).await?;
        }
        self.sent.insert(id);
        // Nothing can appear any more before what is old enough.
        let settled = before(self.relay.context.engine.clock().now());
        self.floor = self.floor.max(id.min(settled));
        self.sent.retain(|it| *it > self.floor);
        Ok(())
    }
}

/// The message as the provider sent it, unless its body is gone.
fn event(message: Message) -> Option<Event> {
    let body = message.body?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    match message.format {
        Format::Json => {
            headers.insert("content-type".to_owned(), "application/json".to_owned());
        },
        Format::Raw { headers: original } => {
            for (name, value) in original {
                headers
                    .entry(name)
                    .and_modify(|whole| *whole = format!("{whole}, {value}"))
                    .or_insert(value);
            }
        },
    }
    Some(Event {
        id: message.id.to_string(),
        method: "POST".to_owned(),
        body: BASE64_STANDARD.encode(body),
        headers,
        target: String::new(),
        event_type: Some(message.event_type.to_string()),
    })
}

/// No id that was made at this moment or later is lower.
const fn at(moment: Timestamp) -> MessageId {
    MessageId::from_parts(moment.as_millis() << 12, 0)
}

/// The same for what was made [`OVERLAP`] before.
const fn before(moment: Timestamp) -> MessageId {
    let overlap = OVERLAP.as_secs() * 1_000;
    at(Timestamp::from_millis(moment.as_millis().saturating_sub(overlap)))
}
