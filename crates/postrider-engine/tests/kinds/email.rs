//! E-mail, against an SMTP server that answers as the recipients say.

use std::{fs, sync::Arc};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::{Call, EmailSender, Sender};
use postrider_testing::ExternalServer;
use serde_json::{Value, json};

use crate::{
    SECOND,
    fixtures::{self, BODY, assert_delivered, assert_failed, said},
};

fn sender() -> EmailSender {
    EmailSender::new(fixtures::http().guard())
}

/// An endpoint that sends through the service; `changes` are in addition.
fn target(service: &ExternalServer, to: &[&str], changes: Value) -> Arc<Target> {
    let mut config = json!({
        "host": "localhost",
        "port": service.port(),
        "tls": "none",
        "from": "Shop <shop@example.com>",
        "to": to,
    });
    let Value::Object(changes) = changes else { panic!("{changes} is not an object") };
    config.as_object_mut().unwrap().extend(changes);
    config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    fixtures::target(EndpointKind::Email, config)
}

fn call(target: &Arc<Target>, number: u64) -> Call {
    fixtures::call(target, number, BODY)
}

/// The e-mails that the service stored, in order.
fn mails(service: &ExternalServer) -> Vec<String> {
    let folder = fs::read_dir(service.key("mail")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "eml"));
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[track_caller]
fn assert_has(mail: &str, line: &str) {
    assert!(mail.lines().any(|it| it == line), "no line {line:?} in:\n{mail}");
}

#[tokio::test]
async fn an_email_is_made_of_the_message_by_templates() {
    let service = ExternalServer::start("smtp", &[]);
    let changes = json!({
        "replyTo": "{{ payload.email }}",
        "subject": "Paid:\n{{ payload.name }}",
        "text": "Hello {{ payload.name }}, {{ payload.total }}",
        "html": "<p>{{ payload.total }}</p>",
    });
    let target = target(&service, &["{{ payload.email }}", "Bob <bob@example.com>"], changes);
    let sender = sender();
    let report = sender.send(call(&target, 1)).await;
    assert_delivered(&report);
    assert!(
        said(&report).starts_with("accepted by localhost for ada@example.com, bob@example.com")
    );
    assert_delivered(&sender.send(call(&target, 1)).await);
    let [first, second] = mails(&service).try_into().unwrap();
    assert_eq!(first, second, "a repetition is the same e-mail");
    let message = call(&target, 1).message.id;
    for line in [
        "X-Envelope-From: shop@example.com",
        "X-Envelope-To: ada@example.com",
        "X-Envelope-To: bob@example.com",
        "From: Shop <shop@example.com>",
        "To: ada@example.com, Bob <bob@example.com>",
        "Reply-To: ada@example.com",
        "Subject: Paid: Ada",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        "Auto-Submitted: auto-generated",
        &format!("Message-ID: <{message}.{}@example.com>", target.endpoint),
        "Hello Ada, 5 < 7",
        "<p>5 &lt; 7</p>",
    ] {
        assert_has(&first, line);
    }
}

#[tokio::test]
async fn without_templates_an_email_shows_the_event() {
    let service = ExternalServer::start("smtp", &[]);
    let target = target(&service, &["ada@example.com"], json!({}));
    assert_delivered(&sender().send(call(&target, 1)).await);
    let [mail] = mails(&service).try_into().unwrap();
    assert_has(&mail, "Subject: order.paid");
    assert_has(&mail, r#"  "name": "Ada","#);
}

#[tokio::test]
async fn nothing_gets_into_the_headers_or_commands() {
    let service = ExternalServer::start("smtp", &[]);
    let body =
        br#"{"name":"x\r\nBcc: eve@example.com","email":"a@b.c>\r\nRCPT TO:<eve@example.com"}"#;
    let sender = sender();
    let subject = json!({ "subject": "{{ payload.name }}", "text": ".\r\n.\r\nQUIT\r\n" });
    let injected = target(&service, &["bob@example.com"], subject);
    assert_delivered(&sender.send(fixtures::call(&injected, 1, body)).await);
    let [mail] = mails(&service).try_into().unwrap();
    assert_has(&mail, "Subject: x Bcc: eve@example.com");
    assert_eq!(mail.matches("X-Envelope-To").count(), 1);
    assert_has(&mail, "QUIT");
    let recipient = target(&service, &["{{ payload.email }}"], json!({}));
    let report = sender.send(fixtures::call(&recipient, 2, body)).await;
    assert_failed(&report, Failure::Rejected, "`to.0` is \"a@b.c>\\r\\nRCPT");
}

#[tokio::test]
async fn replies_of_the_server_decide_about_the_delivery() {
    let service = ExternalServer::start("smtp", &[]);
    let sender = sender();
    for (to, failure, reason) in [
        ("reject550@x.example", Failure::Rejected, "the recipient reject550@x.example: 550 5.0.0"),
        ("busy451@x.example", Failure::Unavailable, "451 4.0.0 busy by the test"),
        ("busy452@x.example", Failure::Busy, "452 4.0.0 busy by the test"),
        ("data554@x.example", Failure::Rejected, "refused the e-mail: 554 5.0.0"),
        ("data451@x.example", Failure::Unavailable, "refused the e-mail: 451 4.0.0"),
        ("drop@x.example", Failure::Unavailable, "the connection broke"),
    ] {
        let target = target(&service, &[to], json!({}));
        assert_failed(&sender.send(call(&target, 1)).await, failure, reason);
    }
    assert!(mails(&service).is_empty());
}

#[tokio::test]
async fn recipients_that_are_refused_do_not_keep_the_others_from_their_email() {
    let service = ExternalServer::start("smtp", &[]);
    let sender = sender();
    let some = target(&service, &["reject550@x.example", "ada@x.example"], json!({}));
    let report = sender.send(call(&some, 1)).await;
    assert_delivered(&report);
    assert!(said(&report).contains("not accepted"), "{}", said(&report));
    assert!(said(&report).contains("reject550@x.example: 550 5.0.0"), "{}", said(&report));
    let none = target(&service, &["reject550@x.example", "busy451@x.example"], json!({}));
    let report = sender.send(call(&none, 1)).await;
    assert_failed(&report, Failure::Unavailable, "reject550@x.example: 550 5.0.0");
    assert_eq!(mails(&service).len(), 1);
}

#[tokio::test]
async fn an_email_is_repeated_if_the_connection_is_cut_before_the_reply() {
    let service = ExternalServer::start("smtp", &[]);
    let target = target(&service, &["cut@x.example"], json!({}));
    let report = sender().send(call(&target, 1)).await;
    assert_failed(&report, Failure::Unavailable, "the connection broke");
    assert_eq!(mails(&service).len(), 1, "the server has it all the same");
}

#[tokio::test]
async fn a_slow_server_is_waited_for() {
    let service = ExternalServer::start("smtp", &[]);
    let target = target(&service, &["slow1@x.example"], json!({}));
    let began = tokio::time::Instant::now();
    assert_delivered(&sender().send(call(&target, 1)).await);
    assert!(began.elapsed() >= SECOND);
}

#[tokio::test]
async fn a_server_that_was_down_and_comes_back_gets_the_email_on_a_new_connection() {
    let service = ExternalServer::start("smtp", &[]);
    let target = target(&service, &["ada@x.example"], json!({}));
    let sender = sender();
    assert_delivered(&sender.send(call(&target, 1)).await);
    service.stop();
    let report = sender.send(call(&target, 2)).await;
    assert_failed(&report, Failure::Connect, "no connection to 127.0.0.1");
    service.restart();
    assert_delivered(&sender.send(call(&target, 2)).await);
    assert_eq!(mails(&service).len(), 2);
}

#[tokio::test]
async fn tls_is_required_unless_it_is_turned_off() {
    let service = ExternalServer::start("smtp", &[]);
    let target = target(&service, &["ada@x.example"], json!({ "tls": null }));
    let report = sender().send(call(&target, 1)).await;
    assert_failed(&report, Failure::Misconfigured, "the server does not offer STARTTLS");
    assert!(mails(&service).is_empty());
}

#[tokio::test]
async fn connections_are_encrypted_and_logged_in() {
    for mode in ["starttls", "implicit"] {
        let tls = format!("tls={mode}");
        let service = ExternalServer::start("smtp", &[&tls, "user=shop", "password=geheim"]);
        let authority = fs::read_to_string(service.key("ca")).unwrap();
        let login = json!({
            "tls": mode,
            "trustedCertificates": authority,
            "username": "shop",
            "password": "geheim",
        });
        let sender = sender();
        let good = target(&service, &["ada@x.example"], login.clone());
        let report = sender.check(Arc::clone(&good)).await;
        assert_delivered(&report);
        assert!(said(&report).contains("logged in"), "{}", said(&report));
        assert!(mails(&service).is_empty());
        assert_delivered(&sender.send(call(&good, 1)).await);
        assert_delivered(&sender.send(call(&good, 2)).await);
        assert_eq!(mails(&service).len(), 2);
        let with = |name: &str, value: Value| {
            let mut changes = login.clone();
            changes[name] = value;
            target(&service, &["ada@x.example"], changes)
        };
        let report = sender.send(call(&with("password", json!("falsch")), 3)).await;
        assert_failed(&report, Failure::Misconfigured, "535");
        assert!(!said(&report).contains("falsch"));
        let report = sender.check(with("trustedCertificates", Value::Null)).await;
        assert_failed(&report, Failure::Tls, "trustedCertificates");
        let mut none = login.clone();
        none["username"] = Value::Null;
        none["password"] = Value::Null;
        let report = sender.send(call(&target(&service, &["ada@x.example"], none), 4)).await;
        assert_failed(&report, Failure::Misconfigured, "530");
    }
}
