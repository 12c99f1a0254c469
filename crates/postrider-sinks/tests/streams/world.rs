//! Services, calls and senders for the tests.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use postrider::{ApplicationId, EndpointId, MessageId, api::EndpointKind};
use postrider_core::{
    address::Policy,
    kind::Destination,
    message::{Format, Message},
    outcome::{Failure, Outcome},
    proxy::NoProxy,
    target::Target,
    time::Timestamp,
};
use postrider_engine::{
    Call, Dns, Guard, HttpSender, Report, ResponseLimits, Sender, SenderOptions, Senders,
};
use serde_json::Value;

pub(crate) fn guard(allowed: &[&str]) -> Guard {
    http(allowed).guard()
}

fn http(allowed: &[&str]) -> HttpSender {
    HttpSender::new(SenderOptions {
        request_timeout: Duration::from_secs(5),
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

/// The senders of this crate, with a time limit.
pub(crate) fn senders(time_limit: Duration) -> Senders {
    senders_allowing(time_limit, &["127.0.0.0/8"])
}

pub(crate) fn senders_allowing(time_limit: Duration, allowed: &[&str]) -> Senders {
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

/// A call with a new message.
pub(crate) fn call(target: &Arc<Target>, body: &str) -> Call {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let message = Message {
        id: MessageId::from_parts((1 << 30) + next(), 7),
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
        at: Timestamp::from_millis(1),
        trace: None,
    }
}

pub(crate) async fn send(senders: &Senders, target: &Arc<Target>, body: &str) -> Report {
    senders.send(call(target, body)).await
}

pub(crate) fn text(report: &Report) -> String {
    String::from_utf8_lossy(&report.response.body).into_owned()
}

#[track_caller]
pub(crate) fn assert_delivered(report: &Report) {
    assert!(report.outcome.delivered(), "{:?}: {}", report.outcome, text(report));
}

/// The delivery failed like this, and the reason contains the text.
#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure, part: &str) {
    let reason = text(report);
    assert_eq!(report.outcome, Outcome::Unanswered(failure), "{reason}");
    assert!(reason.contains(part), "{reason}");
}

/// Repeats until it succeeds, for at most ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
