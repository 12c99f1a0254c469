//! E-mail, against a real mail server: Postfix. Only root can start it.

use std::{fs, sync::Arc};

use postrider::api::EndpointKind;
use postrider_core::{outcome::Failure, target::Target};
use postrider_engine::{EmailSender, Sender};
use postrider_testing::ExternalServer;
use serde_json::json;

use crate::{
    SECOND,
    fixtures::{self, BODY, assert_delivered, assert_failed, said},
};

fn target(service: &ExternalServer, to: &[&str], text: &str) -> Arc<Target> {
    let config = json!({
        "host": "localhost",
        "port": service.port(),
        "tls": "starttls",
        "trustedCertificates": fs::read_to_string(service.key("ca")).unwrap(),
        "from": "Shop <shop@example.com>",
        "to": to,
        "text": text,
    });
    fixtures::target(EndpointKind::Email, config)
}

/// Waits until Postfix has put so many e-mails into the mailbox.
async fn mails(service: &ExternalServer, count: usize) -> Vec<String> {
    let deadline = tokio::time::Instant::now() + 30 * SECOND;
    loop {
        let folder = fs::read_dir(service.key("mail")).into_iter().flatten();
        let paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        if paths.len() >= count {
            return paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        }
        assert!(tokio::time::Instant::now() < deadline, "there are {} e-mails", paths.len());
        tokio::time::sleep(SECOND / 20).await;
    }
}

#[tokio::test]
async fn postfix_accepts_what_it_can_deliver_and_says_why_it_refuses_the_rest() {
    let options = [
        "tls=yes",
        "virtual_mailbox_domains=ours.example",
        "virtual_mailbox_maps=inline:{{ ada@ours.example = ./ }, { bob@ours.example = ./ }}",
        "smtpd_relay_restrictions=reject_unauth_destination",
        "message_size_limit=10000",
    ];
    let service = ExternalServer::start("postfix", &options);
    let sender = EmailSender::new(fixtures::http().guard());
    let good = target(&service, &["ada@ours.example", "bob@ours.example"], "Grüße 😀\n.\n..x");
    for number in [1, 2] {
        assert_delivered(&sender.send(fixtures::call(&good, number, BODY)).await);
    }
    let mails = mails(&service, 4).await;
    let id = fixtures::call(&good, 1, BODY).message.id;
    let of_first = |mail: &&String| mail.contains(&format!("Message-ID: <{id}."));
    assert_eq!(mails.iter().filter(of_first).count(), 2, "{mails:?}");
    assert!(mails.iter().all(|it| it.contains("ESMTPS")), "not encrypted: {mails:?}");
    let some = target(&service, &["ada@ours.example", "eve@ours.example"], "x");
    let report = sender.send(fixtures::call(&some, 3, BODY)).await;
    assert_delivered(&report);
    assert!(said(&report).contains("eve@ours.example: 550 5.1.1"), "{}", said(&report));
    for (to, text, failure, reason) in [
        ("eve@ours.example", "x".to_owned(), Failure::Rejected, "550 5.1.1"),
        ("ada@other.example", "x".to_owned(), Failure::Misconfigured, "Relay access denied"),
        ("ada@ours.example", "x".repeat(15_000), Failure::Rejected, "552 5.3.4"),
    ] {
        let report = sender.send(fixtures::call(&target(&service, &[to], &text), 4, BODY)).await;
        assert_failed(&report, failure, reason);
    }
}
