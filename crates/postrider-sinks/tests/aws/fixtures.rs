//! Calls of endpoints, as the dispatcher makes them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use postrider::{ApplicationId, EndpointId, MessageId, api::EndpointKind};
use postrider_core::{
    address::Policy,
    kind::{Destination, Fields},
    message::{Format, Message},
    outcome::{Failure, Outcome},
    ports::Ports,
    proxy::NoProxy,
    target::Target,
    time::Timestamp,
};
use postrider_engine::{
    Call, Dns, Guard, HttpSender, Report, ResponseLimits, Sender, SenderOptions, Senders,
};
use serde_json::Value;

/// For a delivery, unless the kind has its own limit.
const LIMIT: Duration = Duration::from_secs(10);

/// The time at which message 0 was accepted, in milliseconds.
pub(crate) const ACCEPTED: u64 = 1_767_225_600_000;

fn http() -> Arc<HttpSender> {
    Arc::new(HttpSender::new(SenderOptions {
        request_timeout: LIMIT,
        addresses: Policy {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            ports: Ports::default(),
            ..Policy::default()
        },
        dns: Dns::default(),
        proxy: None,
        no_proxy: NoProxy::default(),
        responses: ResponseLimits::default(),
        idle_connections: 10,
        idle_timeout: Duration::from_secs(60),
        trusted: Vec::new(),
    }))
}

pub(crate) fn guard() -> Guard {
    http().guard()
}

/// The senders of a process that has just started.
pub(crate) fn senders() -> Senders {
    senders_within(LIMIT)
}

pub(crate) fn senders_within(limit: Duration) -> Senders {
    let http = http();
    let kinds = postrider_sinks::senders(&http.guard());
    let senders = Senders::new(http, limit);
    kinds.into_iter().fold(senders, |senders, (kind, sender)| senders.with(kind, sender))
}

pub(crate) fn fields(config: Value) -> Fields {
    let Value::Object(fields) = config else { panic!("{config} is not an object") };
    fields
}

pub(crate) fn target(kind: EndpointKind, config: Value) -> Arc<Target> {
    let destination = Destination::parse(kind, &fields(config)).unwrap();
    Arc::new(Target {
        script: None,
        is_shadow: false,
        application: ApplicationId::from_u128(1),
        endpoint: EndpointId::from_u128(2),
        destination,
    })
}

/// The id of the message with this number. Each message is a millisecond younger than the one
/// before.
pub(crate) fn id(number: u64) -> MessageId {
    MessageId::from_parts((ACCEPTED + number) << 12, 1 << 63)
}

/// A call with the message of this number, right after it was accepted.
pub(crate) fn call(target: &Arc<Target>, number: u64) -> Call {
    call_with(target, number, format!(r#"{{"number":{number}}}"#))
}

pub(crate) fn call_with(target: &Arc<Target>, number: u64, body: impl Into<Bytes>) -> Call {
    let body = body.into();
    let message = Message {
        id: id(number),
        application: target.application,
        event_type: "order.paid".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(body.clone()),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    };
    let at = Timestamp::from_millis(ACCEPTED + number + 1);
    Call {
        target: Arc::clone(target),
        message: Arc::new(message),
        batch: Vec::new(),
        body,
        at,
        trace: None,
    }
}

/// Makes many deliveries at the same time.
pub(crate) async fn send_all(
    senders: &Senders,
    target: &Arc<Target>,
    numbers: impl IntoIterator<Item = u64>,
) -> Vec<Report> {
    join_all(numbers.into_iter().map(|number| senders.send(call(target, number)))).await
}

pub(crate) fn said(report: &Report) -> String {
    String::from_utf8_lossy(&report.response.body).into_owned()
}

#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure, reason: &str) {
    let said = said(report);
    assert_eq!(report.outcome, Outcome::Unanswered(failure), "{said}");
    assert!(said.contains(reason), "{said}");
    assert!(!said.contains("test-secret"), "{said}");
}

#[track_caller]
pub(crate) fn assert_delivered(reports: &[Report]) {
    assert!(!reports.is_empty());
    for report in reports {
        assert!(report.outcome.delivered(), "{:?}: {}", report.outcome, said(report));
    }
}
