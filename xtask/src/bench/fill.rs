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
    retry::{AttemptLimit, Verdict},
    time::Timestamp,
};
use postrider_store::{
    DeliveryOrder, EmbeddedStore, Expected, Hold, NewMessage, Options, PostgresOptions,
    PostgresStore, Records, SettleBatch, Store, Target,
};
use tokio::task::JoinSet;

use super::{clock, console::say, payload};

/// Messages in one transaction.
const BATCH: u64 = 4_096;

/// Transactions under way at a time in a database.
const WRITERS: usize = 4;

/// The number of endpoints that the attempts are spread over.
const ENDPOINTS: u64 = 1_000;

/// How far back the messages begin, so that they are older than all that follow and none is
/// old enough to expire.
const AGE_MILLIS: u64 = 600_000;

const APPLICATION: ApplicationId = ApplicationId::from_parts(1, 1);

/// What is to be stored next.
struct Source {
    begun_at: Timestamp,
    sequence: u64,
    body: Bytes,
}

/// The target is the URL of a database, or a folder.
pub(crate) async fn run(target: &str, messages: u64) -> anyhow::Result<()> {
    if target.starts_with("postgres") {
        let options = PostgresOptions { url: target.to_owned(), ..PostgresOptions::default() };
        fill(Arc::new(PostgresStore::open(options).await?), WRITERS, messages).await
    } else {
        std::fs::create_dir_all(target)?;
        let store = EmbeddedStore::open(Path::new(target), &Options::default())?;
        fill(Arc::new(store), 1, messages).await
    }
}

async fn fill(store: Arc<dyn Store>, writers: usize, messages: u64) -> anyhow::Result<()> {
    let begun_at = Timestamp::from_millis(clock::unix_nanos() / 1_000_000 - AGE_MILLIS);
    furnish(&*store, begun_at).await?;
    let mut source = Source {
        begun_at,
        sequence: begun_at.as_millis() << 12,
        body: Bytes::from(payload::template()),
    };
    let mut writing = JoinSet::new();
    for from in (0..messages).step_by(usize::try_from(BATCH)?) {
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

async fn furnish(store: &dyn Store, now: Timestamp) -> anyhow::Result<()> {
    let application = Application {
        id: APPLICATION,
        organization: "org_filled".parse()?,
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
    fn step(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn message(&mut self) -> NewMessage {
        let sequence = self.step();
        // The multiplication spreads neighbours.
        let tail = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let message = Message {
            id: MessageId::from_parts(sequence, tail),
            application: APPLICATION,
            event_type: "bench.filled".parse().expect("a name of an event type"),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: Some(self.body.clone()),
            format: Format::Json,
            deliver_at: None,
            body_until: self.begun_at + Duration::from_secs(90 * 86_400),
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
        let response = Response {
            headers: vec![("date".to_owned(), "Tue, 14 Nov 2023 22:13:20 GMT".to_owned())],
            body: Bytes::new(),
        };
        let attempt = Attempt {
            id: AttemptId::from_parts(sequence, sequence),
            delivery: id,
            number: 1,
            trigger: Trigger::Scheduled,
            at: self.begun_at,
            duration: Duration::from_micros(1_234),
            url: "https://example.com/webhooks".to_owned(),
            address: None,
            outcome: Outcome::Answered { status: 204, retry_after: None },
            response: Some(response),
        };
        let delivery = Delivery::first(id, APPLICATION);
        Settlement { delivery, attempt, verdict: Verdict::Delivered, failing_since: None }
    }
}
