//! Chat services. The real ones cannot be reached from tests; the stand-in responds as they
//! document.

use std::{sync::Arc, time::Duration};

use postrider::api::EndpointKind;
use postrider_core::{
    outcome::{Failure, Outcome},
    target::Target,
};
use postrider_engine::{Call, ChatSender, HttpSender, Sender};
use serde_json::{Value, json};

use crate::{
    SECOND,
    chat_stand_in::{Service, StandIn},
    fixtures::{self, BODY, assert_delivered, assert_failed, said},
};

const SERVICES: [Service; 4] =
    [Service::Slack, Service::Discord, Service::Teams, Service::Telegram];

fn sender() -> ChatSender {
    ChatSender::new(&fixtures::http().guard())
}

/// An endpoint of the service. `secret` is what its credential consists of.
fn target(service: Service, stand_in: &StandIn, secret: &str, text: &str) -> Arc<Target> {
    let hook = stand_in.url(&format!("/hooks/{secret}"));
    let (kind, config) = match service {
        Service::Slack => (EndpointKind::Slack, json!({ "url": hook, "text": text })),
        Service::Discord => (EndpointKind::Discord, json!({ "url": hook, "content": text })),
        Service::Teams => (EndpointKind::Teams, json!({ "url": hook, "text": text })),
        Service::Telegram => {
            let api = stand_in.url("");
            let token = format!("1:{secret}");
            let config = json!({ "token": token, "chatId": 5, "text": text, "apiUrl": api });
            (EndpointKind::Telegram, config)
        },
    };
    fixtures::target(kind, config)
}

fn call(target: &Arc<Target>, number: u64) -> Call {
    fixtures::call(target, number, BODY)
}

fn text_of(service: Service, body: &Value) -> &Value {
    match service {
        Service::Slack | Service::Telegram => &body["text"],
        Service::Discord => &body["content"],
        Service::Teams => &body["attachments"][0]["content"]["body"][0]["text"],
    }
}

#[tokio::test]
async fn messages_are_posted_in_the_format_of_each_service() {
    for service in SERVICES {
        let stand_in = StandIn::start(service, Duration::ZERO).await;
        let target = target(service, &stand_in, "secret", "{{ payload.name }} paid");
        let report = sender().send(call(&target, 1)).await;
        assert_delivered(&report);
        assert!(said(&report).contains("accepted the message"), "{}", said(&report));
        assert_eq!(report.address, Some(stand_in.address));
        let [received] = stand_in.received().try_into().unwrap();
        assert_eq!(text_of(service, &received.body), "Ada paid", "{service:?}");
        assert!(received.path.contains("secret"));
    }
}

#[tokio::test]
async fn rate_limits_are_reported_with_the_exact_wait() {
    for service in SERVICES {
        let interval = Duration::from_millis(30_500);
        let stand_in = StandIn::start(service, interval).await;
        let target = target(service, &stand_in, "secret", "x");
        let sender = sender();
        assert_delivered(&sender.send(call(&target, 1)).await);
        let report = sender.send(call(&target, 2)).await;
        let Outcome::Answered { status: 429, retry_after: Some(wait) } = report.outcome else {
            panic!("{service:?}: {report:?}");
        };
        // Only Discord tells fractions of seconds.
        let is_exact = service == Service::Discord;
        let most = if is_exact { interval } else { 31 * SECOND };
        assert!(wait > 20 * SECOND && wait <= most, "{service:?}: {wait:?}");
        assert!(is_exact || wait.subsec_millis() == 0, "{service:?}: {wait:?}");
    }
}

#[tokio::test]
async fn dead_webhooks_and_messages_that_cannot_be_accepted_are_told_apart() {
    for service in SERVICES {
        let stand_in = StandIn::start(service, Duration::ZERO).await;
        let sender = sender();
        let report = sender.send(call(&target(service, &stand_in, "gone", "x"), 1)).await;
        assert_failed(&report, Failure::Misconfigured, "; c");
        assert!(!said(&report).contains("gone"), "{}", said(&report));
        if service != Service::Teams {
            let empty = target(service, &stand_in, "secret", "");
            assert_failed(&sender.send(call(&empty, 1)).await, Failure::Rejected, "400");
        }
    }
}

#[tokio::test]
async fn credentials_are_not_in_reports_and_addresses() {
    for service in SERVICES {
        let stand_in = StandIn::start(service, Duration::ZERO).await;
        let down = stand_in.address;
        let target = target(service, &stand_in, "geheim", "x");
        drop(stand_in);
        let report = sender().send(call(&target, 1)).await;
        assert_failed(&report, Failure::Connect, &format!("no connection to {down}"));
        for text in [format!("{report:?}"), format!("{target:?}"), target.destination.address()] {
            assert!(!text.contains("geheim"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_telegram_chat_that_moved_is_followed() {
    let stand_in = StandIn::start(Service::Telegram, Duration::ZERO).await;
    let config = json!({ "token": "1:x", "chatId": -5, "text": "x", "apiUrl": stand_in.url("") });
    let target = fixtures::target(EndpointKind::Telegram, config);
    let sender = sender();
    let report = sender.send(call(&target, 1)).await;
    assert_delivered(&report);
    assert!(said(&report).contains("moved to -1007: change `chatId`"), "{}", said(&report));
    assert_delivered(&sender.send(call(&target, 2)).await);
    let chats: Vec<_> = stand_in.received().iter().map(|it| it.body["chat_id"].clone()).collect();
    assert_eq!(chats, ["-5", "-1007", "-1007"]);
}

#[tokio::test]
async fn a_check_posts_nothing() {
    for service in SERVICES {
        let stand_in = StandIn::start(service, Duration::ZERO).await;
        let sender = sender();
        let good = target(service, &stand_in, "secret", "x");
        let report = sender.check(good).await;
        assert_delivered(&report);
        assert!(said(&report).contains("nothing was posted"), "{}", said(&report));
        assert!(stand_in.received().iter().all(|it| it.path.ends_with("getMe")));
    }
    let stand_in = StandIn::start(Service::Telegram, Duration::ZERO).await;
    let report = sender().check(target(Service::Telegram, &stand_in, "gone", "x")).await;
    assert_failed(&report, Failure::Misconfigured, "Unauthorized");
}

#[tokio::test]
async fn the_address_guard_applies_to_chat_services() {
    let stand_in = StandIn::start(Service::Slack, Duration::ZERO).await;
    let target = target(Service::Slack, &stand_in, "secret", "x");
    let mut strict = fixtures::options();
    strict.addresses.allow.clear();
    let sender = ChatSender::new(&HttpSender::new(strict).guard());
    assert_failed(&sender.send(call(&target, 1)).await, Failure::Forbidden, "not allowed");
    let mut only_https = fixtures::options();
    only_https.addresses.https_only = true;
    let sender = ChatSender::new(&HttpSender::new(only_https).guard());
    assert_failed(&sender.send(call(&target, 1)).await, Failure::Forbidden, "not https");
    assert!(stand_in.received().is_empty());
}
