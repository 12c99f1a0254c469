//! No message is posted before the time has passed that a chat service asked for, in virtual time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use postrider::{ApplicationId, EndpointId, api::EndpointKind};
use postrider_core::{
    breaker,
    catalog::{Application, AtRest, Endpoint, Ordering},
    kind::Fields,
    message::Format,
    outcome::Outcome,
    request::SignatureHeaders,
    retry::Schedule,
    statistics::StatisticsRetention,
    time::Timestamp,
    vault::Vault,
};
use postrider_engine::{Call, Clock, Engine, Limits, Report, Sender, Settings, Submission};
use postrider_store::{Expected, MemoryStore, Records, Retention, Store};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::SECOND;

const APPLICATION: ApplicationId = ApplicationId::from_u128(1);

/// A service that accepts one message in each interval, and says how long the next has to wait.
#[derive(Debug)]
struct Limited {
    interval: Duration,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    open_at: Option<Instant>,
    accepted: usize,
    refused: usize,
    /// Calls before the time that the service had named.
    too_early: usize,
    has_refused: bool,
}

#[async_trait]
impl Sender for Limited {
    async fn send(&self, _: Call) -> Report {
        let now = Instant::now();
        let mut calls = self.calls.lock().unwrap();
        let wait = calls.open_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let outcome = if wait.is_zero() {
            calls.open_at = Some(now + self.interval);
            calls.accepted += 1;
            calls.has_refused = false;
            Outcome::ACCEPTED
        } else {
            calls.too_early += usize::from(calls.has_refused);
            calls.refused += 1;
            calls.has_refused = true;
            let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap();
            Outcome::Answered { status: 429, retry_after: Some(Duration::from_millis(millis)) }
        };
        Report { outcome, ..Report::delivered("") }
    }
}

fn application() -> Application {
    Application {
        managed_by: None,
        id: APPLICATION,
        organization: "org_simulated".parse().unwrap(),
        uid: None,
        name: "simulated".to_owned(),
        metadata: BTreeMap::new(),
        throttle_rate: None,
        ended_tokens: Vec::new(),
        cutoffs: Vec::new(),
        integrations: Vec::new(),
        auto_configs: Vec::new(),
        settings: None,
        mode: postrider_core::catalog::ApplicationMode::Live,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn endpoint(vault: &Vault) -> Endpoint {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    let mut config = Fields::new();
    config.insert("url".to_owned(), json!("https://chat.example/hook"));
    Endpoint {
        managed_by: None,
        id: EndpointId::from_u128(10),
        application: APPLICATION,
        uid: None,
        kind: EndpointKind::Slack,
        config: AtRest::Clear(config),
        url: "https://chat.example/***".to_owned(),
        description: String::new(),
        event_types: None,
        channels: None,
        headers: AtRest::default(),
        metadata: BTreeMap::new(),
        disabled: false,
        throttle_rate: None,
        strict_rate: false,
        transformation: None,
        filter: None,
        ordering: Ordering::Any,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: postrider_core::catalog::Authentication::default(),
        secret: vault.seal(&secret, [0; 24]),
        polling_tokens: Vec::new(),
        batch: None,
        attempt_limit: postrider_core::retry::AttemptLimit::default(),
        paused: false,
        retry_requested_at: None,
        signing: None,
        retired_secrets: Vec::new(),
        disablement: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

fn settings() -> Settings {
    let long = 1_000_000 * SECOND;
    Settings {
        limits: Limits { lease: 300 * SECOND, ..Limits::default() },
        schedule: Schedule::new(&[SECOND; 40], 0.2),
        disable_endpoint_after: long,
        breaker: breaker::Policy { threshold: 5, rest: SECOND, rest_max: 60 * SECOND },
        signature_headers: SignatureHeaders::Standard,
        user_agent: HeaderValue::from_static("Postrider/test"),
        endpoint_metrics: 0,
        alerts: None,
        operator: None,
        retention: Retention {
            rows: long,
            idempotency: long,
            digests: long,
            rejections: long,
            audit_log: long,
        },
        statistics_retention: StatisticsRetention::DEFAULT,
        shards: 1,
        tracer: None,
    }
}

/// Publishes messages to a service with this interval, and waits until they are delivered.
async fn check(interval: Duration, messages: usize) {
    let sender = Arc::new(Limited { interval, calls: Mutex::default() });
    let (store, vault) = (Arc::new(MemoryStore::default()), Vault::new("main"));
    store.save(&application(), Expected::New).await.unwrap();
    store.save(&endpoint(&vault), Expected::New).await.unwrap();
    let clock = Clock::simulated(1, 0, Instant::now());
    let (as_store, as_sender) = (store as Arc<dyn Store>, Arc::clone(&sender) as Arc<dyn Sender>);
    let (engine, parts) = Engine::new(as_store, as_sender, clock, vault, settings());
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    for driver in parts.drivers {
        tasks.spawn(driver.run(stop.clone(), 30 * SECOND));
    }
    tasks.spawn(parts.maintenance.run(stop.clone()));
    tasks.spawn(parts.listener.run(stop.clone()));
    for _ in 0..messages {
        let entry = engine.directory().entry(APPLICATION).await.unwrap().unwrap();
        engine.submit(submission(entry)).await.unwrap();
    }
    let longest = interval * u32::try_from(4 * messages).unwrap() + 600 * SECOND;
    let deadline = Instant::now() + longest;
    while sender.calls.lock().unwrap().accepted < messages {
        assert!(Instant::now() < deadline, "{:?}", sender.calls);
        tokio::time::sleep(SECOND).await;
    }
    stop.cancel();
    tasks.join_all().await;
    let calls = sender.calls.lock().unwrap();
    assert_eq!(calls.too_early, 0, "{calls:?}");
    assert!(calls.refused < messages, "{calls:?}");
}

fn submission(entry: Arc<postrider_engine::Entry>) -> Submission {
    Submission {
        entry,
        event_type: "order.paid".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Bytes::from_static(b"{}"),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
        idempotency: None,
        only: None,
        history: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_per_second_is_posted_if_the_service_accepts_no_more() {
    check(SECOND, 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_hours_is_kept() {
    check(5 * 3_600 * SECOND, 4).await;
}
