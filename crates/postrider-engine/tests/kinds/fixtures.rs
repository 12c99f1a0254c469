//! Calls of endpoints, as the dispatcher makes them.

use std::sync::Arc;

use bytes::Bytes;
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
use postrider_engine::{Call, Dns, HttpSender, Report, ResponseLimits, SenderOptions};
use serde_json::Value;

use crate::SECOND;

/// The time at which all messages were accepted.
pub(crate) const ACCEPTED: u64 = 1_767_225_600_000;

pub(crate) const BODY: &[u8] = br#"{"name":"Ada","email":"ada@example.com","total":"5 < 7"}"#;

pub(crate) fn options() -> SenderOptions {
    SenderOptions {
        request_timeout: 10 * SECOND,
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
        idle_timeout: 60 * SECOND,
        trusted: Vec::new(),
    }
}

pub(crate) fn http() -> Arc<HttpSender> {
    Arc::new(HttpSender::new(options()))
}

fn fields(config: Value) -> Fields {
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

/// A call with the message of this number.
pub(crate) fn call(target: &Arc<Target>, number: u64, body: &'static [u8]) -> Call {
    let body = Bytes::from_static(body);
    let message = Message {
        id: MessageId::from_parts(ACCEPTED << 12, number),
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
    let at = Timestamp::from_millis(ACCEPTED + 5);
    Call {
        target: Arc::clone(target),
        message: Arc::new(message),
        batch: Vec::new(),
        body,
        at,
        trace: None,
    }
}

pub(crate) fn said(report: &Report) -> String {
    String::from_utf8_lossy(&report.response.body).into_owned()
}

#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure, reason: &str) {
    let said = said(report);
    assert_eq!(report.outcome, Outcome::Unanswered(failure), "{said}");
    assert!(said.contains(reason), "{said}");
}

#[track_caller]
pub(crate) fn assert_delivered(report: &Report) {
    assert!(report.outcome.delivered(), "{:?}: {}", report.outcome, said(report));
}
