//! What one request may cost, whatever the model and the sender make of it.

use postrider::provider::{
    Headers, Model, Provider, Reply, Request, Settings, VerifyError, find, placeholder_count,
    receive, render_reply, verify,
};

/// A model as it is stored, which may be older than the limits.
fn stored(model: &str) -> Provider {
    Provider::new("custom", serde_json::from_str(model).unwrap())
}

fn request<'a>(headers: &'a [(&'a str, &'a [u8])], body: &'a [u8]) -> Request<'a> {
    Request { method: "POST", url: "https://example.com/in/x", headers: Headers(headers), body }
}

fn list(item: &str, count: usize) -> String {
    vec![item; count].join(",")
}

#[track_caller]
fn check(model: &str, body: &[u8], expected: Result<(), &str>) {
    let settings = Settings::new((0..10).map(|it| format!("secret{it}")));
    let signature = "00".repeat(32);
    let headers = [("x", signature.as_bytes())];
    let received = receive(&stored(model), &settings, &request(&headers, body), 0);
    match (received, expected) {
        (Ok(_), Ok(())) => {},
        (Err(rejected), Err(expected)) => {
            let reason = rejected.to_string();
            assert!(reason.contains(expected), "{reason}");
        },
        (received, _) => panic!("{received:?}"),
    }
}

#[test]
fn a_request_that_takes_too_much_work_is_rejected() {
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
    let body = body.as_bytes();
    let hmac = |content: &str| {
        format!(
            r#"{{"verify":[{{"scheme":"hmac","signature":"header:x","content":"{content}"}}]}}"#
        )
    };
    check(&hmac("{body}"), body, Err("no signature matches"));
    check(&hmac("{body}{body}"), body, Err("no signature matches"));
    check(&hmac("{body_sha256_hex}{body_crc32}"), body, Err("no signature matches"));
    check(&hmac(&"{body}".repeat(10_000)), body, Err("too much work"));
    check(&hmac(&"{body}".repeat(10_000)), b"{}", Err("no signature matches"));
    check(&hmac(&"{json:a}".repeat(1_000)), body, Err("too much work"));
    // A hash of the body is computed once, however often it is signed.
    check(&hmac(&"{body_sha256_hex}".repeat(1_000)), body, Err("no signature matches"));
    let schemes = list(r#"{"scheme":"hmac","signature":"header:x"}"#, 1_000);
    check(&format!(r#"{{"verify":[{schemes}]}}"#), body, Err("too much work"));
    let secret = r#"{"scheme":"shared_secret","source":"json:b"}"#;
    check(&format!(r#"{{"verify":[{}]}}"#, list(secret, 1_000)), body, Err("too much work"));
    let condition = list(r#"{"at":"json:b","is":"absent"}"#, 100_000);
    let asked = format!(r#"{{"handshakes":[{{"when":[{condition}]}}]}}"#);
    check(
        &asked,
        br#"{"a":[[[["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]]]]}"#,
        Err("too much work"),
    );
}

#[test]
fn an_unverified_request_has_a_work_budget() {
    let settings = Settings { accept_unsigned: true, ..Settings::default() };
    let body = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(500_000));
    let verified = |expressions: &str| {
        let model = format!(r#"{{"event_type":[{expressions}]}}"#);
        verify(&stored(&model), &settings, &request(&[], body.as_bytes()), 0)
    };
    assert_eq!(verified(&list(r#""json:b""#, 10)).unwrap().event_type, None);
    assert_eq!(verified(&list(r#""json:b""#, 1_000)), Err(VerifyError::TooMuchWork));
}

#[test]
fn a_model_larger_than_any_provider_needs_is_rejected() {
    let hmac = r#"{"scheme":"hmac","signature":"header:x""#;
    let none = r#"{"scheme":"none"}"#;
    let with = |rest: &str| format!(r#"{{"verify":[{none}],{rest}}}"#);
    let event_type = |it: &str| with(&format!(r#""event_type":{it}"#));
    let text = |count| format!(r#"{{"text":"{}"}}"#, "{body}".repeat(count));
    let condition = r#"{"at":"json:a"}"#;
    for (model, expected) in [
        (format!(r#"{{"verify":[{}]}}"#, list(none, 9)), "verify has more than 8 schemes"),
        (
            format!(r#"{{"verify":[{hmac},"content":"{}"}}]}}"#, "{body}".repeat(3)),
            "content has more than 2 bodies",
        ),
        (
            format!(r#"{{"verify":[{hmac},"content":"{}"}}]}}"#, "{body_crc32}".repeat(3)),
            "content has more than 2 bodies",
        ),
        (
            format!(r#"{{"verify":[{hmac},"content":"{}"}}]}}"#, "{json:a}".repeat(17)),
            "content has more than 16 parts",
        ),
        (event_type(&format!("[{}]", list(r#""json:a""#, 17))), "event_type has more than 16"),
        (event_type(&format!(r#""json:a{}""#, " + json:a".repeat(8))), "more than 8 terms"),
        (event_type(&format!(r#""json:a{}""#, ".a".repeat(16))), "more than 16 steps"),
        (
            with(&format!(r#""handshakes":[{{"when":[{}]}}]"#, list(condition, 17))),
            "handshakes has more than 16 conditions",
        ),
        (
            with(&format!(r#""handshakes":[{{"when":[{condition}],"reply":{}}}]"#, text(17))),
            "handshakes has more than 16 placeholders in a reply",
        ),
        (
            with(&format!(r#""acknowledgements":[{{"reply":{}}}]"#, text(17))),
            "acknowledgements has more than 16 placeholders in a reply",
        ),
        (with(&format!(r#""event_id":"json:{}""#, "a".repeat(40_000))), "longer than 32768 bytes"),
    ] {
        let error = Model::from_json(&model).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
    let most = format!(r#"{{"verify":[{}]}}"#, list(&format!("{hmac}}}"), 8));
    Model::from_json(&most).unwrap();
}

#[test]
fn a_form_with_very_many_fields_is_rejected() {
    let settings = Settings::new(["s"]);
    for (provider, header) in
        [("twilio", "x-twilio-signature"), ("mandrill", "x-mandrill-signature")]
    {
        let provider = find(provider).unwrap();
        let headers = [(header, &b"AAAA"[..])];
        let verified = |fields: usize| {
            let body = "a&".repeat(fields);
            verify(provider, &settings, &request(&headers, body.as_bytes()), 0).unwrap_err()
        };
        assert_eq!(verified(10_000), VerifyError::Signature);
        assert!(matches!(verified(1 << 20), VerifyError::Malformed(_)));
    }
}

#[test]
fn a_filled_text_has_a_bound() {
    let body = vec![b'x'; 100_000];
    let fill = |text: &str| {
        let written = Reply { status: 200, headers: Vec::new(), body: text.into() };
        let count = placeholder_count(&written);
        (count, render_reply(written, &Settings::default(), &request(&[], &body)).body.len())
    };
    assert_eq!(fill("{body}{body}"), (2, 200_000));
    assert_eq!(fill(&"{body}".repeat(10_000)), (10_000, 200_000));
    // What is not a location stays as it is, and is not searched again for each brace.
    let braces = "{".repeat(1 << 20) + "}";
    assert_eq!(fill(&braces), (0, braces.len()));
}
