//! What tells an event from others, and numbers that stay as they are written.

use postrider::provider::{
    Headers, Model, Provider, Request, Settings, UnsignedRequest, Verified, all, sign, verify,
};

use super::receive;

const NOW: u64 = 1_700_000_000;
const PLAIN: &str = r#""verify": { "scheme": "hmac", "signature": "header:x-signature" }"#;
const TIMED: &str = r#""verify": { "scheme": "hmac", "signature": "header:x-signature",
    "content": "{timestamp}.{body}", "timestamp": { "source": "header:x-time" } }"#;

fn model(verify: &str, rest: &str) -> Provider {
    let json = format!("{{ {verify}, \"event_type\": \"json:type\" {rest} }}");
    Provider::new("acme", Model::from_json(&json).unwrap())
}

fn verified(provider: &Provider, body: &str, now: u64) -> Verified {
    let settings = Settings::new(["s3cret"]);
    let draft = UnsignedRequest { body: body.into(), ..UnsignedRequest::default() };
    receive(provider, &settings, &sign(provider, &settings, draft, now).unwrap(), now).unwrap()
}

/// Whether the second body, signed that many seconds later, is the same event; `None` if nothing
/// tells.
fn same(provider: &Provider, one: &str, other: &str, later: u64) -> Option<bool> {
    let first = verified(provider, one, NOW).identity?;
    Some(verified(provider, other, NOW + later).identity? == first)
}

const UNIQUE: &str = r#", "unique_event_id": "json:id""#;
const OTHER: &str = r#", "event_id": "json:id""#;
const BATCH: &str = r#", "unique_event_id": "json:all.*.id", "event_id": "json:all.*.id""#;

#[test]
fn repetitions_are_distinguished_from_other_events() {
    let (one, changed, none) =
        (r#"{"type":"a","id":"1"}"#, r#"{"type":"a","id":"1","n":2}"#, r#"{"type":"a"}"#);
    let by_body = format!(r#"{OTHER}, "repeats": "same_body""#);
    let never = format!(r#"{UNIQUE}, "repeats": "never""#);
    for (verify, rest, first, second, later, expected) in [
        (PLAIN, UNIQUE, one, one, 0, Some(true)),
        (TIMED, UNIQUE, one, changed, 9, Some(true)),
        (PLAIN, OTHER, one, one, 9, Some(true)),
        (PLAIN, OTHER, one, changed, 0, Some(false)),
        (TIMED, OTHER, one, one, 0, Some(true)),
        (TIMED, OTHER, one, one, 9, Some(false)),
        (TIMED, &by_body, one, one, 9, Some(true)),
        (TIMED, &by_body, one, changed, 0, Some(false)),
        (TIMED, &by_body, none, none, 9, Some(true)),
        (PLAIN, &never, one, one, 0, None),
        // An id that is missing makes nothing equal.
        (PLAIN, UNIQUE, none, none, 0, None),
        (PLAIN, OTHER, none, none, 0, None),
        (PLAIN, "", one, one, 0, None),
        (TIMED, UNIQUE, none, none, 0, Some(true)),
        (TIMED, UNIQUE, none, none, 9, Some(false)),
        (PLAIN, UNIQUE, r#"{"id":""}"#, r#"{"id":""}"#, 0, None),
        (PLAIN, UNIQUE, r#"{"id":null}"#, r#"{"id":null}"#, 0, None),
        // Numbers are as they are written.
        (PLAIN, UNIQUE, r#"{"id":7}"#, r#"{"id":7,"n":1}"#, 0, Some(true)),
        (
            PLAIN,
            UNIQUE,
            r#"{"id":1234567890123456789012345}"#,
            r#"{"id":1234567890123456789012346}"#,
            0,
            Some(false),
        ),
        // A batch is the same only if all of it is.
        (PLAIN, BATCH, r#"{"all":[{"id":1},{"id":2}]}"#, r#"{"all":[{"id":1}]}"#, 0, Some(false)),
        (
            PLAIN,
            BATCH,
            r#"{"all":[{"id":1},{"id":2}],"try":1}"#,
            r#"{"all":[{"id":1},{"id":2}],"try":2}"#,
            0,
            Some(true),
        ),
        (
            PLAIN,
            BATCH,
            r#"{"all":[{"id":1},{"n":2}]}"#,
            r#"{"all":[{"id":1},{"n":3}]}"#,
            0,
            Some(false),
        ),
        (PLAIN, BATCH, r#"{"all":["1,2"]}"#, r#"{"all":["1,2"]}"#, 0, None),
        (
            PLAIN,
            BATCH,
            r#"{"all":[{"id":"1,2"}]}"#,
            r#"{"all":[{"id":"1"},{"id":"2"}]}"#,
            0,
            Some(false),
        ),
        // Of several documents the first says nothing of the others.
        (PLAIN, UNIQUE, "{\"id\":1}\n{\"id\":2}", "{\"id\":1}\n{\"id\":2}", 0, None),
    ] {
        let provider = model(verify, rest);
        assert_eq!(same(&provider, first, second, later), expected, "{rest} {first} {second}");
    }
}

/// Whether the request is known again with another id and type in its headers, which are not signed.
#[test]
fn the_signed_content_identifies_an_event_with_an_unsigned_id() {
    const HEADER: &str = r#", "unique_event_id": "header:x-id""#;
    const LOOSE: &str = r#", "event_id": "header:x-id""#;
    const SIGNED: &str = r#""verify": { "scheme": "hmac", "signature": "header:x-signature",
        "content": "{header:x-id}.{body}" }"#;
    const SECRET: &str =
        r#""verify": { "scheme": "shared_secret", "source": "header:x-signature" }"#;
    let rule = |rest: &str, repeats: &str| format!(r#"{rest}, "repeats": "{repeats}""#);
    for (verify, rest, expected) in [
        (PLAIN, HEADER.to_owned(), true),
        (PLAIN, LOOSE.to_owned(), true),
        (TIMED, HEADER.to_owned(), true),
        (PLAIN, rule(HEADER, "never"), true),
        (SECRET, rule(HEADER, "never"), true),
        (PLAIN, rule(HEADER, "same_body"), true),
        (PLAIN, rule(HEADER, "same_id"), false),
        (SIGNED, HEADER.to_owned(), false),
        (SECRET, HEADER.to_owned(), false),
        (PLAIN, UNIQUE.to_owned(), false),
        (PLAIN, OTHER.to_owned(), false),
        (PLAIN, String::new(), false),
    ] {
        let provider = model(verify, &rest);
        let settings = Settings::new(["s3cret"]);
        let of = |id: &str| {
            let headers = vec![("x-id".to_owned(), id.to_owned())];
            let body = br#"{"type":"a","id":"1"}"#.to_vec();
            let draft = UnsignedRequest {
                body,
                headers,
                event_id: Some(id.to_owned()),
                ..UnsignedRequest::default()
            };
            let signed = sign(&provider, &settings, draft, NOW).unwrap();
            receive(&provider, &settings, &signed, NOW).unwrap().signed_content
        };
        assert_eq!((of("1").is_some(), of("1") == of("2")), (expected, true), "{verify} {rest}");
    }
}

#[test]
fn a_verified_event_says_whether_its_id_is_unique() {
    let of = |rest, body| {
        let it = verified(&model(PLAIN, rest), body, NOW);
        (it.event_id.unwrap_or_default(), it.event_id_is_unique)
    };
    assert_eq!(of(UNIQUE, r#"{"id":"1"}"#), ("1".to_owned(), true));
    assert_eq!(of(OTHER, r#"{"id":"1"}"#), ("1".to_owned(), false));
    assert_eq!(of(BATCH, r#"{"all":[{"id":1},{"id":2}]}"#), ("1,2".to_owned(), true));
    assert_eq!(of(BATCH, r#"{"all":[{"id":1},{}]}"#), ("1".to_owned(), false));
    assert_eq!(of(UNIQUE, "{}"), (String::new(), false));
}

#[test]
fn every_provider_says_what_its_documentation_guarantees_about_ids() {
    for provider in all() {
        let guarantee = &provider.id_guarantee;
        let is_sentence = guarantee.ends_with(['.', ')']) && guarantee.len() > 20;
        assert!(is_sentence, "{}: {guarantee:?}", provider.id);
    }
}

/// Signatures by another program over the amount as it is written.
#[test]
fn numbers_are_signed_as_they_are_written() {
    let model = Model::from_json(
        r#"{ "verify": { "scheme": "hmac", "signature": "header:x", "content": "{json:amount}" } }"#,
    );
    let provider = Provider::new("acme", model.unwrap());
    for (amount, signature) in [
        ("42.50", "2c67dc3754db0760700fe1c9f03e58af3a8ae9e5878ffa163c4f53f55854b4ed"),
        ("1e3", "b017a75aa0633116a6ff4a0a2a807e602a903851b24d55ab93cd46293b69d77f"),
        (
            "12345678901234567890123456",
            "c4eef0e5f64468fecc95a780d325f63ef247503b9667ff9e274a10882c988a45",
        ),
        ("-0", "a977162141759a79fe666a5f5251b7f4ae1b7867030b100aa6156dc6e09d4439"),
        ("1E+2", "946fa88efb350090591512a734d46dd4210d94a2667b660f77e8fb8dc8acd922"),
    ] {
        let body = format!(r#"{{"other": 1e999, "amount": {amount} }}"#);
        let request = Request {
            method: "POST",
            url: "https://example.test/",
            headers: Headers(&[("x", signature.as_bytes())]),
            body: body.as_bytes(),
        };
        let verdict = verify(&provider, &Settings::new(["s3cret"]), &request, NOW);
        assert!(verdict.is_ok(), "{amount}: {verdict:?}");
    }
}

#[test]
fn signing_leaves_the_numbers_of_a_body_as_they_are() {
    let model = r#"{ "verify": { "scheme": "hmac", "signature": "json:signature", "content": "{json:id}" } }"#;
    let provider = Provider::new("acme", Model::from_json(model).unwrap());
    let body = r#"{"z":42.50,"id":12345678901234567890123456,"e":1e3}"#;
    let draft = UnsignedRequest { body: body.into(), ..UnsignedRequest::default() };
    let signed = sign(&provider, &Settings::new(["s3cret"]), draft, NOW).unwrap();
    let signed = String::from_utf8(signed.body).unwrap();
    let expected = body.trim_end_matches('}');
    let signature = "c4eef0e5f64468fecc95a780d325f63ef247503b9667ff9e274a10882c988a45";
    assert_eq!(signed, format!(r#"{expected},"signature":"{signature}"}}"#));
}

#[test]
fn claims_that_cannot_be_compared_exactly_are_rejected() {
    let with = |claim: &str| {
        Model::from_json(&format!(
            r#"{{ "verify": {{ "scheme": "jwt", "token": "body", "algorithms": ["HS256"],
                "claims": {{ "n": {claim} }} }} }}"#
        ))
    };
    assert!(with("18446744073709551615").is_ok());
    for claim in ["0.5", "12345678901234567890123456", "[1.0]", r#"{"a":1e3}"#] {
        let error = with(claim).unwrap_err().to_string();
        assert!(error.contains("claims.n holds a number"), "{error}");
    }
}
