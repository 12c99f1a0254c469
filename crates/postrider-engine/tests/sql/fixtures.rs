//! Senders, endpoints and messages.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
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
    BuiltInOptions, Call, Dns, HttpSender, Report, ResponseLimits, Sender, SenderOptions, Senders,
    built_in,
};
use serde_json::Value;
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);

/// The senders, as the server makes them.
#[derive(Debug)]
pub(crate) struct Fixture {
    senders: Senders,
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let allow = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        Self::with(Policy { allow, ports: "1-65535".parse().unwrap(), ..Policy::default() })
    }

    pub(crate) fn with(addresses: Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let http = Arc::new(HttpSender::new(options(addresses)));
        let options = BuiltInOptions { sqlite_folder: folder.path().to_owned() };
        let kinds = built_in(&http.guard(), &options);
        let senders = Senders::new(http, 15 * SECOND);
        let senders =
            kinds.into_iter().fold(senders, |senders, (kind, sender)| senders.with(kind, sender));
        Self { senders, folder }
    }

    pub(crate) async fn send(&self, target: &Arc<Target>, message: Message) -> Report {
        let body = message.body.clone().unwrap();
        let (target, message) = (Arc::clone(target), Arc::new(message));
        self.senders
            .send(Call {
                target,
                message,
                batch: Vec::new(),
                body,
                at: Timestamp::default(),
                trace: None,
            })
            .await
    }

    /// All at the same time.
    pub(crate) async fn send_all(
        &self,
        target: &Arc<Target>,
        messages: Vec<Message>,
    ) -> Vec<Report> {
        join_all(messages.into_iter().map(|message| self.send(target, message))).await
    }

    pub(crate) async fn check(&self, target: &Arc<Target>) -> Report {
        self.senders.check(Arc::clone(target)).await
    }
}

fn options(addresses: Policy) -> SenderOptions {
    SenderOptions {
        request_timeout: 15 * SECOND,
        addresses,
        dns: Dns::default(),
        proxy: None,
        no_proxy: NoProxy::default(),
        responses: ResponseLimits::default(),
        idle_connections: 10,
        idle_timeout: 60 * SECOND,
        trusted: Vec::new(),
    }
}

/// An endpoint of a kind.
pub(crate) fn target(kind: EndpointKind, config: &Value) -> Arc<Target> {
    let destination = Destination::parse(kind, config.as_object().unwrap()).unwrap();
    Arc::new(Target {
        script: None,
        is_shadow: false,
        application: ApplicationId::from_u128(1),
        endpoint: EndpointId::from_u128(2),
        destination,
    })
}

/// The message with a number. A higher number is newer.
pub(crate) fn message(number: u64, payload: impl Into<String>) -> Message {
    Message {
        id: id(number),
        application: ApplicationId::from_u128(1),
        event_type: "user.created".parse().unwrap(),
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from(payload.into().into_bytes())),
        format: Format::Json,
        deliver_at: None,
        body_until: Timestamp::MAX,
        trace: None,
    }
}

pub(crate) fn id(number: u64) -> MessageId {
    MessageId::from_parts((1 << 52) + number, 7)
}

#[track_caller]
pub(crate) fn assert_delivered(report: &Report) {
    assert!(report.outcome.delivered(), "{:?}: {}", report.outcome, said(report));
}

#[track_caller]
pub(crate) fn assert_failed(report: &Report, failure: Failure, reason: &str) {
    assert_eq!(report.outcome, Outcome::Unanswered(failure), "{}", said(report));
    assert!(said(report).contains(reason), "{}", said(report));
    assert!(!said(report).contains("secret"), "{}", said(report));
}

pub(crate) fn said(report: &Report) -> String {
    String::from_utf8_lossy(&report.response.body).into_owned()
}
