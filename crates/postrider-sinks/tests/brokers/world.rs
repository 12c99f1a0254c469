//! Senders, endpoints and messages for the tests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use postrider::{ApplicationId, EndpointId, MessageId, api::EndpointKind};
use postrider_core::{
    address::Policy,
    kind::Destination,
    message::{Format, Message},
    outcome::{Failure, Outcome},
    proxy::NoProxy,
    queue::{QueueConfig, QueueKind},
    target::Target,
    time::Timestamp,
};
use postrider_engine::{
    Call, Dns, Guard, HttpSender, LeasedPartition, PartitionLeases, Queue, QueueError,
    QueueMessage, Report, ResponseLimits, Sender, SenderOptions, Senders,
};
use postrider_testing::ExternalServer;
use serde_json::Value;

/// Long enough for a slow machine: RabbitMQ needs more than a minute for a restart beside other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

fn http(allowed: &[&str]) -> HttpSender {
    HttpSender::new(SenderOptions {
        request_timeout: Duration::from_secs(10),
        addresses: Policy {
            allow: allowed.iter().map(|it| it.parse().unwrap()).collect(),
            ..Policy::default()
        },
        dns: Dns::default(),
        proxy: None,
        no_proxy: NoProxy::default(),
        responses: ResponseLimits::default(),
        idle_connections: 10,
        idle_timeout: Duration::from_secs(60),
        trusted: Vec::new(),
    })
}

fn guard() -> Guard {
    http(LOOPBACK).guard()
}

/// The senders of all kinds, with a time limit for each delivery.
pub(crate) fn senders(time_limit: Duration) -> Senders {
    senders_allowing(LOOPBACK, time_limit)
}

pub(crate) fn senders_allowing(allowed: &[&str], time_limit: Duration) -> Senders {
    let http = Arc::new(http(allowed));
    let kinds = postrider_sinks::senders(&http.guard());
    let senders = Senders::new(http, time_limit);
    kinds.into_iter().fold(senders, |senders, (kind, sender)| senders.with(kind, sender))
}

pub(crate) fn target(kind: EndpointKind, config: &Value) -> Arc<Target> {
    let Value::Object(fields) = config else { panic!("not an object: {config}") };
    Arc::new(Target {
        script: None,
        is_shadow: false,
        application: ApplicationId::from_u128(1),
        endpoint: EndpointId::from_u128(next().into()),
        destination: Destination::parse(kind, fields).unwrap(),
    })
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A call with a message of its own.
pub(crate) fn call(target: &Arc<Target>, body: &str) -> Call {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let message = Message {
        id: MessageId::from_parts((1 << 40) + next(), 7),
        application: target.application,
        event_type: "user.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(body.clone()),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    };
    Call {
        target: Arc::clone(target),
        message: Arc::new(message),
        batch: Vec::new(),
        body,
        at: Timestamp::MAX,
        trace: None,
    }
}

pub(crate) fn text(report: &Report) -> String {
    String::from_utf8_lossy(&report.response.body).into_owned()
}

#[track_caller]
pub(crate) fn assert_delivered(report: &Report) {
    assert!(report.outcome.delivered(), "{:?}: {}", report.outcome, text(report));
}

#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure) -> String {
    let text = text(report);
    assert_eq!(report.outcome, Outcome::Unanswered(failure), "{text}");
    text
}

/// Repeats a delivery, as the dispatcher does, until it succeeds. Returns the number of failures.
pub(crate) async fn deliver(senders: &Senders, call: &Call) -> u32 {
    let mut failures = 0;
    let attempts = async {
        while !senders.send(call.clone()).await.outcome.delivered() {
            failures += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("the delivery succeeds at last");
    failures
}

/// Delivers messages while the server is killed and started again. Returns how many were delivered
/// and how many attempts failed.
pub(crate) async fn deliver_during_restart(
    senders: &Senders,
    target: &Arc<Target>,
    service: &Arc<ExternalServer>,
) -> (u32, u32) {
    let (delivered, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let is_restarted = AtomicBool::new(false);
    let worker = async || {
        while !is_restarted.load(Ordering::Relaxed) {
            failed.fetch_add(deliver(senders, &call(target, "1")).await, Ordering::Relaxed);
            delivered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let restart = async {
        while delivered.load(Ordering::Relaxed) < 100 {
            tokio::task::yield_now().await;
        }
        let service = Arc::clone(service);
        let restart = tokio::task::spawn_blocking(move || {
            service.kill();
            service.restart();
        });
        restart.await.unwrap();
        is_restarted.store(true, Ordering::Relaxed);
    };
    tokio::join!(restart, join_all((0..20).map(|_| worker())));
    (delivered.into_inner(), failed.into_inner())
}

pub(crate) async fn open(kind: QueueKind, config: &Value) -> Result<Box<dyn Queue>, QueueError> {
    let Value::Object(fields) = config else { panic!("not an object: {config}") };
    let config = Arc::new(QueueConfig::parse(kind, fields).unwrap());
    let connectors = postrider_sinks::queues(&guard());
    let (_, connector) = connectors.into_iter().find(|(found, _)| *found == kind).unwrap();
    connector.open(config, "shop", Arc::new(NoPartitions)).await
}

/// The brokers share messages among their readers themselves.
#[derive(Debug)]
struct NoPartitions;

#[async_trait]
impl PartitionLeases for NoPartitions {
    async fn renew(&self, _partitions: &[i32]) -> Result<Vec<LeasedPartition>, QueueError> {
        unreachable!("there are no partitions")
    }

    async fn save_offsets(&self, _next: &[(i32, i64)]) -> Result<(), QueueError> {
        unreachable!("there are no partitions")
    }
}

/// Receives until there are `count` messages.
pub(crate) async fn receive(queue: &mut dyn Queue, count: usize) -> Vec<QueueMessage> {
    let mut messages = Vec::new();
    let all = async {
        while messages.len() < count {
            messages.extend(queue.receive(count - messages.len()).await.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the messages arrive");
    messages
}
