//! Fills a data folder or a database with delivered messages, through the store and without a server: the
//! way over HTTP would take as long as a benchmark of its own.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use postrider::{ApplicationId, AttemptId, EndpointId, MessageId};
use postrider_core::{
    catalog::{Application, AtRest, Authentication, Endpoint, Ordering, SealedSecret},
    delivery::{Attempt, Delivery, DeliveryId, Response, Settlement, Trigger},
    message::{Format, Message},
    outcome::Outcome,
    retry::{AttemptLimit, Reason, Verdict},
    time::Timestamp,
};
use postrider_store::{
    DeliveryOrder, EmbeddedStore, Expected, Hold, MessageFilter, NewMessage, Options,
    PostgresOptions, PostgresStore, Records, Scan, SettleBatch, Store, Target,
};
use tokio::task::JoinSet;

use super::{clock, console::say, payload};

/// How many messages are stored, and which.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Filling {
    /// Messages to store
    messages: u64,
    /// Bytes of each payload
    #[arg(long, default_value_t = payload::LENGTH)]
    payload: usize,
    /// Days that the messages are spread over
    #[arg(long, default_value_t = 0)]
    days: u64,
}

/// Messages in one transaction.
const BATCH: u64 = 4_096;

/// The index is waited for after so many transactions.
const INDEXED: u64 = 64;

/// Transactions under way at a time in a database.
const WRITERS: usize = 4;

/// The number of endpoints that the attempts are spread over.
const ENDPOINTS: u64 = 1_000;

/// How far back the messages begin, so that they are older than all that follow and none is
/// old enough to expire.
const AGE_MILLIS: u64 = 600_000;

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// How long payloads are kept.
const BODY_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// One delivery of so many failed permanently.
const FAILED: u64 = 100;

/// One message of so many has an event type and a channel that are rare.
const RARE: u64 = 100_000;

/// The organization of what is stored.
pub(crate) const ORGANIZATION: &str = "org_filled";

const APPLICATION: ApplicationId = ApplicationId::from_parts(1, 1);

/// What is to be stored next.
struct Source {
    begun_at: Timestamp,
    span_millis: u64,
    filling: Filling,
    stored: u64,
    sequence: u64,
    body: Bytes,
}

/// The target is the URL of a database, or a folder.
pub(crate) async fn run(target: &str, filling: Filling) -> anyhow::Result<()> {
    if target.starts_with("postgres") {
        let options = PostgresOptions { url: target.to_owned(), ..PostgresOptions::default() };
        fill(Arc::new(PostgresStore::open(options).await?), WRITERS, filling).await
    } else {
        std::fs::create_dir_all(target)?;
        let store = EmbeddedStore::open(Path::new(target), &Options::default())?;
        fill(Arc::new(store), 1, filling).await
    }
}

async fn fill(store: Arc<dyn Store>, writers: usize, filling: Filling) -> anyhow::Result<()> {
    let span_millis = span_millis(filling.days);
    let begun_at = Timestamp::from_millis(clock::unix_nanos() / 1_000_000 - span_millis);
    furnish(&*store, begun_at).await?;
    let mut source = Source {
        begun_at,
        span_millis,
        filling,
        stored: 0,
        sequence: 0,
        body: Bytes::from(payload::of_length(filling.payload)),
    };
    let messages = filling.messages;
    let mut writing = JoinSet::new();
    for from in (0..messages).step_by(usize::try_from(BATCH)?) {
        if (from / BATCH).is_multiple_of(INDEXED) {
            wait_for_index(&*store).await?;
        }
        let count = BATCH.min(messages - from);
        let batch: Vec<_> = (0..count).map(|_| source.message()).collect();
        let settlements = batch.iter().map(|new| source.settlement(new)).collect();
        if writing.len() == writers {
            writing.join_next().await.context("no writer")???;
        }
        let store = Arc::clone(&store);
        writing.spawn(async move {
            store.append(batch).await?;
            store.settle(Arc::new(SettleBatch { settlements, messages: Vec::new() })).await
        });
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    store.close().await?;
    say(&messages)
}

/// Lists a message, which waits until the index has caught up: it is written more slowly than the
/// data, and what it does not have yet stays in the journal.
async fn wait_for_index(store: &dyn Store) -> anyhow::Result<()> {
    let scan = Scan { after: None, ascending: false, limit: 1 };
    store.messages(APPLICATION, MessageFilter::default(), scan).await?;
    Ok(())
}

/// Names and paths of pages of 50 that can be listed in what was filled with these days.
pub(crate) fn pages(days: u64) -> Vec<(&'static str, String)> {
    let span = span_millis(days);
    let begun_at = clock::unix_nanos() / 1_000_000 - span;
    let before = |part: u64| Timestamp::from_millis(begun_at + span / 100 * part).to_rfc3339();
    let messages = format!("/api/v1/app/{APPLICATION}/msg?limit=50");
    let endpoint = EndpointId::from_parts(1, 7);
    let attempts = format!("/api/v1/app/{APPLICATION}/attempt/endpoint/{endpoint}?limit=50");
    vec![
        ("newest", messages.clone()),
        ("middle", format!("{messages}&before={}", before(45))),
        ("oldest", format!("{messages}&before={}", before(1))),
        ("rare_event_type", format!("{messages}&event_types=bench.rare")),
        ("rare_channel", format!("{messages}&channel=rare")),
        ("attempts", attempts.clone()),
        ("failed_attempts", format!("{attempts}&status=2")),
        ("rare_attempts", format!("{attempts}&event_types=bench.rare")),
        ("all_attempts", "/api/v1/attempt?limit=50".to_owned()),
    ]
}

fn span_millis(days: u64) -> u64 {
    (days * DAY_MILLIS).max(AGE_MILLIS)
}

async fn furnish(store: &dyn Store, now: Timestamp) -> anyhow::Result<()> {
    let application = Application {
        id: APPLICATION,
        organization: ORGANIZATION.parse()?,
        uid: None,
        name: String::new(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        managed_by: None,
        created_at: now,
        updated_at: now,
    };
    store.save(&application, Expected::New).await?;
    for number in 0..ENDPOINTS {
        let endpoint = Endpoint {
            id: EndpointId::from_parts(1, number),
            application: APPLICATION,
            uid: None,
            kind: postrider::api::EndpointKind::Http,
            config: AtRest::default(),
            url: "https://example.com/webhooks".to_owned(),
            description: String::new(),
            event_types: None,
            channels: None,
            filter: None,
            transformation: None,
            authentication: Authentication::default(),
            headers: AtRest::default(),
            metadata: BTreeMap::new(),
            disabled: false,
            disablement: None,
            throttle_rate: None,
            strict_rate: false,
            ordering: Ordering::Any,
            trusted_certificates: None,
            forward_trace_context: false,
            secret: SealedSecret(Vec::new()),
            polling_tokens: Vec::new(),
            batch: None,
            attempt_limit: AttemptLimit::default(),
            paused: false,
            retry_requested_at: None,
            signing: None,
            managed_by: None,
            retired_secrets: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        store.save(&endpoint, Expected::New).await?;
    }
    Ok(())
}

impl Source {
    /// When the next message was accepted.
    fn now(&self) -> Timestamp {
        // The last tenth is left, so that the ids of fast fillings do not reach the future.
        let share = self.stored as f64 / self.filling.messages.max(1) as f64;
        self.begun_at + Duration::from_millis(self.span_millis).mul_f64(0.9 * share)
    }

    fn step(&mut self) -> u64 {
        self.sequence = (self.sequence + 1).max(self.now().as_millis() << 12);
        self.sequence
    }

    fn message(&mut self) -> NewMessage {
        self.stored += 1;
        let sequence = self.step();
        // The multiplication spreads neighbours.
        let tail = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let is_rare = self.stored.is_multiple_of(RARE);
        let event_type = if is_rare { "bench.rare" } else { "bench.filled" };
        let message = Message {
            id: MessageId::from_parts(sequence, tail),
            application: APPLICATION,
            event_type: event_type.parse().expect("a name of an event type"),
            event_id: None,
            channels: if is_rare { vec!["rare".to_owned()] } else { Vec::new() },
            tags: Vec::new(),
            body: Some(self.body.clone()),
            format: Format::Json,
            deliver_at: None,
            body_until: self.now() + BODY_KEPT,
            trace: None,
        };
        let endpoint = EndpointId::from_parts(1, (tail >> 32) % ENDPOINTS);
        let target =
            Target { endpoint, hold: Hold::Leased(Timestamp::MAX), order: DeliveryOrder::Any };
        NewMessage { message: Arc::new(message), targets: vec![target], idempotency: None }
    }

    fn settlement(&mut self, new: &NewMessage) -> Settlement {
        let sequence = self.step();
        let id = DeliveryId { endpoint: new.targets[0].endpoint, message: new.message.id };
        let failed = sequence.is_multiple_of(FAILED);
        let (status, verdict) = if failed {
            (500, Verdict::GiveUp(Reason::Exhausted))
        } else {
            (204, Verdict::Delivered)
        };
        let response = Response {
            headers: vec![("date".to_owned(), "Tue, 14 Nov 2023 22:13:20 GMT".to_owned())],
            body: Bytes::new(),
        };
        let attempt = Attempt {
            id: AttemptId::from_parts(sequence, sequence),
            delivery: id,
            number: 1,
            trigger: Trigger::Scheduled,
            at: self.now(),
            duration: Duration::from_micros(1_234),
            url: "https://example.com/webhooks".to_owned(),
            address: None,
            outcome: Outcome::Answered { status, retry_after: None },
            response: Some(response),
        };
        let delivery = Delivery::first(id, APPLICATION);
        Settlement { delivery, attempt, verdict, failing_since: None }
    }
}
