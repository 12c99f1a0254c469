//! The details that bite: what providers do that others do not.

use std::time::Duration;

use postrider::provider::{
    Model, Provider, Settings, SignedRequest, UnsignedRequest, Verified, VerifyError, find, sign,
};

use super::receive;

const NOW: u64 = 1_700_000_000;

fn request(headers: &[(&str, &str)], body: &str) -> SignedRequest {
    let headers = headers.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
    SignedRequest {
        method: "POST".to_owned(),
        url: "https://example.test/in/abc".to_owned(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    }
}

fn custom(model: &str) -> Provider {
    Provider::new("custom", Model::from_json(model).unwrap())
}

fn verify(
    id: &str,
    secrets: &[&str],
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Verified, VerifyError> {
    let settings = Settings::new(secrets.iter().copied());
    receive(find(id).unwrap(), &settings, &request(headers, body), NOW)
}

/// HMAC-SHA1 of `{}` with `secret`.
const SHA1: &str = "5d61605c3feea9799210ddcb71307d4ba264225f";

/// A provider that sends two signatures sends the weaker one for old receivers.
#[test]
fn a_weaker_signature_does_not_count_alongside_a_stronger_one() {
    let weak = format!("sha1={SHA1}");
    let (right, wrong) = (format!("sha256={HEX}"), format!("sha256={}", HEX.replace('7', "8")));
    for (id, strong, weaker) in [
        ("github", "x-hub-signature-256", "x-hub-signature"),
        ("meta", "x-hub-signature-256", "x-hub-signature"),
    ] {
        check(id, &["secret"], &[(weaker, &weak)], "{}");
        check(id, &["secret"], &[(weaker, &weak), (strong, &right)], "{}");
        for strong_value in [wrong.as_str(), "sha256=", "nonsense", ""] {
            let headers = [(weaker, weak.as_str()), (strong, strong_value)];
            let refused = verify(id, &["secret"], &headers, "{}");
            assert!(refused.is_err(), "{id} {strong_value:?}");
        }
    }
    // A secret in the clear is weaker than any signature.
    let headers = [("verif-hash", "secret"), ("flutterwave-signature", "no signature")];
    assert!(verify("flutterwave", &["secret"], &headers, "{}").is_err());
    // Signatures with two keys are equally strong.
    let headers = [("x-gitea-signature", "00"), ("x-hub-signature-256", &right)];
    check("gitea", &["secret"], &headers, "{}");
}

#[track_caller]
fn check(id: &str, secrets: &[&str], headers: &[(&str, &str)], body: &str) {
    verify(id, secrets, headers, body).unwrap();
}

/// HMAC-SHA256 of `{}` with `secret`.
const HEX: &str = "77325902caca812dc259733aacd046b73817372c777b8d95b402647474516e13";
const BASE64: &str = "dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM=";

#[test]
fn signatures_are_compared_as_bytes() {
    let (upper, unpadded) = (HEX.to_uppercase(), BASE64.trim_end_matches('='));
    for hex in [HEX, &upper] {
        check("gitea", &["secret"], &[("X-Gitea-Signature", hex)], "{}");
        check("github", &["secret"], &[("x-hub-signature-256", &format!("SHA256={hex}"))], "{}");
    }
    for base64 in [BASE64, unpadded] {
        check("shopify", &["secret"], &[("x-shopify-hmac-sha256", base64)], "{}");
    }
    let cut = HEX.split_at(62).0;
    let refused = verify("gitea", &["secret"], &[("x-gitea-signature", cut)], "{}");
    assert_eq!(refused.unwrap_err(), VerifyError::Signature);
    let refused = verify("gitea", &["secret"], &[("x-gitea-signature", "no hex")], "{}");
    assert!(matches!(refused, Err(VerifyError::Malformed(_))), "{refused:?}");
}

#[test]
fn any_secret_matches_any_signature() {
    let (first, second) = ("X-DocuSign-Signature-1", "X-DocuSign-Signature-2");
    let wrong_signature = "AAAAAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM=";
    check("docusign", &["other", "secret"], &[(first, wrong_signature), (second, BASE64)], "{}");
    let both =
        [("Box-Signature-Primary", wrong_signature), ("Box-Signature-Secondary", wrong_signature)];
    assert!(verify("box", &["secret"], &both, "{}").is_err());
    let headers = [("x-gitea-signature", "00"), ("x-gitea-signature", HEX)];
    check("gitea", &["secret"], &headers, "{}");
}

#[test]
fn rotated_pairs_have_a_timestamp_each() {
    let signature = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
    let header = format!("t=1699999999,v1={HEX} t=1700000000,v1={signature}");
    check("persona", &["secret"], &[("persona-signature", &header)], "{}");
    let crossed = format!("t=1700000000,v1={HEX} t=1699999999,v1={signature}");
    let refused = verify("persona", &["secret"], &[("persona-signature", &crossed)], "{}");
    assert_eq!(refused.unwrap_err(), VerifyError::Signature);
}

#[test]
fn the_number_of_checked_signatures_is_limited() {
    let wrong_signature = "0".repeat(64);
    let docusign = |before: usize| {
        let mut headers = vec![("x-docusign-signature-1", wrong_signature.as_str()); before];
        headers.push(("x-docusign-signature-2", BASE64));
        verify("docusign", &["secret"], &headers, "{}").is_ok()
    };
    assert!(docusign(100));
    assert!(!docusign(200));
    let persona = |before: usize| {
        let signature = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
        let groups = (0..before).map(|it| format!("t={},v1={HEX} ", NOW - 9 + it as u64));
        let header = format!("{}t=1700000000,v1={signature}", groups.collect::<String>());
        verify("persona", &["secret"], &[("persona-signature", &header)], "{}").is_ok()
    };
    assert!(persona(2));
    assert!(!persona(8));
}

#[test]
fn recurly_writes_seconds_or_milliseconds() {
    let seconds = "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163";
    let milliseconds = "8399216d111287e3bb28e25c0f4f31dffdf831c68c9ee2b96c2f67c9b81d341b";
    for header in [format!("1700000000,{seconds}"), format!("1700000000000,{HEX},{milliseconds}")] {
        check("recurly", &["secret"], &[("recurly-signature", &header)], "{}");
    }
}

#[test]
fn hubspot_signs_a_url_that_is_decoded_in_part() {
    let headers = [
        ("x-hubspot-signature-v3", "0vZ/mF6Dx5qPrZVXTcYzIHnlsCsKjiphJeesWWWnmI4="),
        ("x-hubspot-request-timestamp", "1700000000000"),
    ];
    let signed = SignedRequest {
        url: "https://example.test/a?b=c%3Ad%20e".to_owned(),
        ..request(&headers, "{}")
    };
    receive(find("hubspot").unwrap(), &Settings::new(["secret"]), &signed, NOW).unwrap();
}

#[test]
fn bodies_are_bytes() {
    let gzip = b"\x1f\x8b\x08\x00\xff\xfe{\r\n";
    let nylas = find("nylas").unwrap();
    let draft = UnsignedRequest { body: gzip.to_vec(), ..UnsignedRequest::default() };
    let settings = Settings::new(["secret"]);
    let signed = sign(nylas, &settings, draft, NOW).unwrap();
    assert!(receive(nylas, &settings, &signed, NOW).is_ok());
}

#[test]
fn secrets_are_read_as_their_providers_show_them() {
    let bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let draft = || UnsignedRequest { body: b"{}".to_vec(), ..UnsignedRequest::default() };
    let signed_with = |id: &str, secret: &str| {
        sign(find(id).unwrap(), &Settings::new([secret]), draft(), NOW).unwrap()
    };
    let verifies = |id: &str, secret: &str, signed: &SignedRequest| {
        receive(find(id).unwrap(), &Settings::new([secret]), signed, NOW).is_ok()
    };
    let whsec = format!("whsec_{bare}");
    let signed = signed_with("svix", &whsec);
    for secret in [bare, &whsec, &format!("v1,{whsec}")] {
        assert!(verifies("svix", secret, &signed), "{secret}");
    }
    let signed = signed_with("stripe", &whsec);
    assert!(verifies("stripe", &whsec, &signed));
    assert!(!verifies("stripe", bare, &signed), "the prefix is a part of the key");
    let signed = signed_with("polar", bare);
    assert!(verifies("polar", bare, &signed));
    assert!(!verifies("svix", bare, &signed), "the key is not base64");
}

#[test]
fn an_unusable_secret_does_not_block_a_valid_one() {
    let draft = UnsignedRequest { body: b"{}".to_vec(), ..UnsignedRequest::default() };
    let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let svix = find("svix").unwrap();
    let signed = sign(svix, &Settings::new([good]), draft, NOW).unwrap();
    let verify = |secrets: &[&str]| {
        receive(svix, &Settings::new(secrets.iter().copied()), &signed, NOW).map(|it| it.secret)
    };
    assert_eq!(verify(&["whsec_%", good]), Ok(Some(1)));
    assert_eq!(
        verify(&["whsec_%"]),
        Err(VerifyError::Secret { index: 0, reason: "it is not base64 after whsec_".to_owned() })
    );
    assert!(matches!(verify(&[""]), Err(VerifyError::Secret { .. })), "nothing is no secret");
}

#[test]
fn grafana_signs_with_or_without_a_time() {
    let signature = "x-grafana-alerting-signature";
    check("grafana", &["secret"], &[(signature, HEX)], "{}");
    let timed = [(signature, HEX), ("x-grafana-alerting-timestamp", "1600000000")];
    let refused = verify("grafana", &["secret"], &timed, "{}");
    assert_eq!(refused.unwrap_err(), VerifyError::TooOld);
}

#[test]
fn times_are_parsed_in_all_formats() {
    let model = |unit: &str| {
        custom(&format!(
            r#"{{"verify":{{"scheme":"hmac","signature":"header:x-s","timestamp":
            {{"source":"header:x-t","unit":"{unit}","tolerance_s":60}}}}}}"#
        ))
    };
    let verify = |unit: &str, time: &str| {
        let signed = request(&[("x-s", HEX), ("x-t", time)], "{}");
        receive(&model(unit), &Settings::new(["secret"]), &signed, NOW).map(|_| ())
    };
    for (unit, time) in [
        ("s", "1700000000"),
        ("ms", "1700000000999"),
        ("s_or_ms", "1700000000"),
        ("s_or_ms", "1700000000000"),
        ("rfc3339", "2023-11-14T22:13:20Z"),
        ("rfc3339", "2023-11-14T15:13:20-07:00"),
        ("rfc3339", "2023-11-14T22:13:20.123456789Z"),
        ("rfc3339", "2023-11-14T22:13:20+00:00"),
    ] {
        assert_eq!(verify(unit, time), Ok(()), "{time}");
    }
    for (unit, time) in [
        ("s", "+1700000000"),
        ("s", "-1700000000"),
        ("s", ""),
        ("s", "99999999999999999999999"),
        ("ms", "1700000000.5"),
        ("rfc3339", "1700000000"),
        ("rfc3339", "2023-11-14"),
    ] {
        assert!(matches!(verify(unit, time), Err(VerifyError::Malformed(_))), "{time}");
    }
    assert_eq!(verify("rfc3339", "1970-01-01T00:00:00Z"), Err(VerifyError::TooOld));
    assert_eq!(verify("s", "1700000061"), Err(VerifyError::TooNew));
}

#[test]
fn a_setting_replaces_the_tolerance() {
    let discord = find("discord").unwrap();
    let private = include_str!("../../keys/ed25519.pem");
    let draft = UnsignedRequest { body: b"{}".to_vec(), ..UnsignedRequest::default() };
    let signed = sign(discord, &Settings::new([private]), draft, NOW).unwrap();
    let mut settings = Settings::new([include_str!("../../keys/ed25519.pub")]);
    assert!(receive(discord, &settings, &signed, NOW + 900).is_ok());
    assert_eq!(receive(discord, &settings, &signed, NOW + 901), Err(VerifyError::TooOld));
    settings.tolerance = Some(Duration::from_secs(30));
    assert_eq!(receive(discord, &settings, &signed, NOW + 31), Err(VerifyError::TooOld));
}

#[test]
fn user_and_password_are_one_secret() {
    // "user:pass:word" in base64.
    for value in ["Basic dXNlcjpwYXNzOndvcmQ=", "basic dXNlcjpwYXNzOndvcmQ"] {
        check("postmark", &["user:pass:word"], &[("Authorization", value)], "{}");
        assert!(verify("postmark", &["user:pass"], &[("Authorization", value)], "{}").is_err());
    }
    for value in ["Bearer dXNlcjpwYXNzOndvcmQ=", "Basic %", "Basic", ""] {
        let refused = verify("postmark", &["user:pass"], &[("Authorization", value)], "{}");
        assert!(matches!(refused, Err(VerifyError::Malformed(_))), "{value}: {refused:?}");
    }
}

#[test]
fn type_and_id_are_found_in_every_location() {
    let found = |id: &str, headers: &[(&str, &str)], body: &str| {
        let settings = Settings { accept_unsigned: true, ..Settings::default() };
        let found = receive(find(id).unwrap(), &settings, &request(headers, body), NOW).unwrap();
        (found.event_type.unwrap_or_default(), found.event_id.unwrap_or_default())
    };
    for (id, headers, body, event_type, event_id) in [
        ("stripe", &[][..], r#"{"id":"evt_1","type":"invoice.paid"}"#, "invoice.paid", "evt_1"),
        ("github", &[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "d")], "{}", "push", "d"),
        ("telegram", &[], r#"{"update_id":7,"message":{}}"#, "message", "7"),
        (
            "x-twitter",
            &[],
            r#"{"for_user_id":"1","tweet_create_events":[{"id_str":"9"}]}"#,
            "tweet_create_events",
            "9",
        ),
        (
            "sendgrid",
            &[],
            r#"[{"event":"open","sg_event_id":"a"},{"event":"drop","sg_event_id":"b"}]"#,
            "open",
            "a,b",
        ),
        ("slack", &[], "payload=%7B%22type%22%3A%22block_actions%22%7D", "block_actions", ""),
        (
            "slack",
            &[],
            r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#,
            "message",
            "Ev1",
        ),
        (
            "mandrill",
            &[],
            "mandrill_events=%5B%7B%22event%22%3A%22send%22%2C%22_id%22%3A%22x%22%7D%5D",
            "send",
            "x",
        ),
        (
            "mailchimp",
            &[],
            "type=subscribe&fired_at=2009-03-26+21%3A35%3A57&data%5Bid%5D=8a",
            "subscribe",
            "2009-03-26 21:35:57:subscribe:8a",
        ),
        ("cloudevents", &[("ce-type", "t"), ("ce-id", "1"), ("ce-source", "/s")], "", "t", "1:/s"),
        ("cloudevents", &[], r#"{"type":"t","id":"1","source":"/s"}"#, "t", "1:/s"),
        (
            "linear",
            &[("linear-delivery", "d")],
            r#"{"type":"Issue","action":"update"}"#,
            "Issue.update",
            "d",
        ),
        (
            "auth0",
            &[],
            "{\"log_id\":\"1\",\"data\":{\"type\":\"s\"}}\n{\"log_id\":\"2\"}\n",
            "s",
            "1",
        ),
        ("dropbox", &[], "{}", "", ""),
        ("stripe", &[], "no json", "", ""),
    ] {
        let expected = (event_type.to_owned(), event_id.to_owned());
        assert_eq!(found(id, headers, body), expected, "{id}: {body}");
    }
}

#[test]
fn unsigned_providers_are_accepted_only_if_allowed() {
    let body = r#"{"object_type":"activity","aspect_type":"create","object_id":7,"event_time":1}"#;
    for id in ["strava", "stripe"] {
        let refused = receive(find(id).unwrap(), &Settings::default(), &request(&[], body), NOW);
        assert!(refused.is_err(), "{id}");
        let open = Settings { accept_unsigned: true, ..Settings::default() };
        let taken = receive(find(id).unwrap(), &open, &request(&[], body), NOW).unwrap();
        assert!(!taken.signed);
    }
    let open = Settings { accept_unsigned: true, ..Settings::default() };
    let taken = receive(find("strava").unwrap(), &open, &request(&[], body), NOW).unwrap();
    assert_eq!(taken.event_type.as_deref(), Some("activity.create"));
    assert_eq!(taken.event_id.as_deref(), Some("7:create:1"));
}

#[test]
fn every_item_must_contain_the_client_state() {
    let state = |items: &str| format!(r#"{{"value":[{items}]}}"#);
    let (good, bad, none) =
        (r#"{"id":"1","clientState":"s"}"#, r#"{"id":"2","clientState":"t"}"#, r#"{"id":"3"}"#);
    for id in ["microsoft-graph", "sharepoint"] {
        let verify = |items: &[&str]| verify(id, &["s"], &[], &state(&items.join(",")));
        assert!(verify(&[good]).is_ok());
        assert!(verify(&[good, good]).is_ok());
        assert_eq!(verify(&[good, bad]), Err(VerifyError::Signature));
        for items in [&[good, none][..], &[none], &[]] {
            assert!(matches!(verify(items), Err(VerifyError::Missing(_))), "{items:?}");
        }
    }
}

#[test]
fn a_replay_is_not_accepted_by_a_weaker_scheme() {
    let body = r#"[{"eventId":1}]"#;
    let settings = Settings::new(["secret"]);
    let draft = UnsignedRequest {
        url: "https://example.test/in/abc".to_owned(),
        body: body.as_bytes().to_vec(),
        ..UnsignedRequest::default()
    };
    let hubspot = find("hubspot").unwrap();
    let mut signed = sign(hubspot, &settings, draft.clone(), NOW).unwrap();
    let v1 = custom(
        r#"{"verify":{"scheme":"digest","signature":"header:x-hubspot-signature","content":"{secret}{body}"}}"#,
    );
    let older = sign(&v1, &settings, draft, NOW).unwrap();
    signed.headers.extend(older.headers.clone());
    assert!(receive(hubspot, &settings, &signed, NOW).is_ok());
    assert_eq!(receive(hubspot, &settings, &signed, NOW + 301), Err(VerifyError::TooOld));
    assert!(receive(hubspot, &settings, &older, NOW + 301).is_ok(), "which has no time");
}
