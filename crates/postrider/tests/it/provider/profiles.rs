//! What a signing profile signs verifies with its model, and with what its system published.

use postrider::provider::{
    Headers, PrivateKey, Provider, Request, Settings, SignError, VerifyError,
    profile::{self, Rotation, SignedEvent, SigningModel},
    verify,
};
use proptest::prelude::*;

const NOW: u64 = 1_700_000_000;

const CHARGE: &str = r#"{"event":"charge.success","amount":1000,"currency":"NGN"}"#;

fn event(body: &[u8], at_millis: u64) -> SignedEvent<'_> {
    SignedEvent {
        method: "POST",
        url: "https://example.test/hook?a=1",
        headers: Headers(&[("content-type", b"application/json"), ("x-event-type", b"forged")]),
        body,
        id: "ev_1",
        event_type: "charge.success",
        at_millis,
    }
}

fn sign(model: &SigningModel, secrets: &[&str], event: &SignedEvent<'_>) -> Vec<(String, String)> {
    let keys: Vec<_> = secrets.iter().map(|secret| model.key(secret).unwrap()).collect();
    model.sign(&keys.iter().collect::<Vec<_>>(), event).unwrap()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
}

/// Verifies the request with the engine that verifies webhooks of providers.
fn received(
    model: &SigningModel,
    secret: &str,
    event: &SignedEvent<'_>,
    signed: &[(String, String)],
) -> Result<(), VerifyError> {
    let kept = event.headers.0.iter().filter(|(name, _)| value(signed, name).is_none()).copied();
    let added = signed.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers: Vec<_> = kept.chain(added).collect();
    let request = Request {
        method: event.method,
        url: event.url,
        headers: Headers(&headers),
        body: event.body,
    };
    let provider = Provider::new("profile", model.verifier());
    verify(&provider, &Settings::new([secret]), &request, NOW).map(drop)
}

#[test]
fn the_known_profiles_are_valid_and_sorted() {
    let ids: Vec<_> = profile::all().iter().map(|profile| profile.id.as_str()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    for known in profile::all() {
        known.model.validate().unwrap_or_else(|error| panic!("{}: {error}", known.id));
        let json = serde_json::to_string(&known.model).unwrap();
        assert_eq!(SigningModel::from_json(&json).unwrap(), known.model);
        let secret = known.model.generate([7; 32]).unwrap();
        known.model.key(&secret).unwrap();
        assert_eq!(profile::find(&known.id).map(|it| &it.name), Some(&known.name));
        assert!(known.docs.starts_with("https://"), "{}", known.id);
    }
    assert!(profile::find("custom").is_none());
}

/// The test vectors of Convoy, and those of Hook0's worker.
#[test]
fn signatures_are_those_of_the_other_systems() {
    let secret = "convoy-webhook-secret";
    for (id, secret, body, at, header, wanted) in [
        (
            "convoy",
            secret,
            CHARGE,
            NOW,
            "x-convoy-signature",
            "244449b7f48cbc2709060c9dcdc2b3aa47a78f540430579015c579fb12defbb4",
        ),
        (
            "convoy-advanced",
            secret,
            CHARGE,
            NOW,
            "x-convoy-signature",
            "t=1700000000,v1=77b8b9269f25a199846a55a2bd25b3fba151c70fdae60bb1dcd87fbbc943c55c",
        ),
        (
            "hook0-v0",
            "secret",
            "hello !",
            1_636_936_200,
            "x-hook0-signature",
            "t=1636936200,v0=1b3d69df55f1e52f05224ba94a5162abeb17ef52cd7f4948c390f810d6a87e98",
        ),
        // The same HMAC as the first, in base64.
        (
            "hookdeck",
            secret,
            CHARGE,
            NOW,
            "x-hookdeck-signature",
            "JERJt/SMvCcJBgydzcKzqkenj1QEMFeQFcV5+xLe+7Q=",
        ),
        (
            "outpost",
            secret,
            CHARGE,
            NOW,
            "x-outpost-signature",
            "v0=244449b7f48cbc2709060c9dcdc2b3aa47a78f540430579015c579fb12defbb4",
        ),
    ] {
        let model = &profile::find(id).unwrap().model;
        let signed = sign(model, &[secret], &event(body.as_bytes(), at * 1000));
        assert_eq!(value(&signed, header), Some(wanted), "{id}");
    }
}

/// Convoy's vectors for the settings of a project that are not the default.
#[test]
fn custom_models_have_other_hashes_encodings_and_headers() {
    for (hash, encoding, wanted) in [
        ("sha256", "base64", "JERJt/SMvCcJBgydzcKzqkenj1QEMFeQFcV5+xLe+7Q="),
        (
            "sha512",
            "base64",
            "bMdy3IGUKuG1/6kcOmoHsNN+3I3GvYPjUYohnx8Z/3GuG3bWsyCUDUFMI2oarX95MLY+DxkolRlV0xIZVF4bZg==",
        ),
    ] {
        let json = format!(
            r#"{{"sign": {{"scheme": "hmac", "hash": "{hash}", "encoding": "{encoding}",
                           "signature": "header:X-Acme-Signature"}}}}"#
        );
        let model = SigningModel::from_json(&json).unwrap();
        let signed = sign(&model, &["convoy-webhook-secret"], &event(CHARGE.as_bytes(), 0));
        assert_eq!(signed, [("x-acme-signature".to_owned(), wanted.to_owned())]);
    }
}

#[test]
fn version_1_of_hook0_signs_headers() {
    // Hook0's worker signs the headers that it has; its vector has two.
    let json = r#"{
        "sign": {"scheme": "hmac", "signature": "header:x-hook0-signature",
                 "parse": {"item_sep": ",", "kv_sep": "=", "key": "v1"},
                 "content": "{timestamp}.x-event-id x-event-type.{header:x-event-id}.{header:x-event-type}.{body}",
                 "timestamp": {"source": "field:t"}},
        "fields": {"h": "x-event-id x-event-type"},
        "headers": {"x-event-id": "{id}", "x-event-type": "{event_type}"}}"#;
    let model = SigningModel::from_json(json).unwrap();
    let event = SignedEvent {
        id: "1a01cb48-5142-4d9b-8f90-d20cca61f0ee",
        event_type: "service.resource.verb",
        ..event(b"hello !", 1_636_936_200_000)
    };
    let wanted = "t=1636936200,h=x-event-id x-event-type,\
                  v1=bc521546ba5de381b12f135782d2008b028c3065c191760b12b76850a8fc8f51";
    let signed = sign(&model, &["secret"], &event);
    assert_eq!(value(&signed, "x-hook0-signature"), Some(wanted));
    let known = &profile::find("hook0").unwrap().model;
    let signed = sign(known, &["secret"], &event);
    assert_eq!(value(&signed, "x-event-id"), Some(event.id));
    assert_eq!(value(&signed, "x-event-type"), Some("service.resource.verb"));
    let header = value(&signed, "x-hook0-signature").unwrap();
    assert!(header.starts_with("t=1636936200,h=content-type x-event-id x-event-type,v1="));
}

#[test]
fn rotated_secrets_sign_as_the_system_does() {
    for (id, header, wanted) in [
        ("convoy", "x-convoy-signature", "A"),
        ("convoy-advanced", "x-convoy-signature", "t=1700000000,v1=A,v1=B,v1=C"),
        ("hook0-v0", "x-hook0-signature", "t=1700000000,v0=A"),
        ("hookdeck", "x-hookdeck-signature", "A"),
        ("hookdeck", "x-hookdeck-signature-2", "B"),
        ("outpost", "x-outpost-signature", "v0=A,B,C"),
        ("outpost-timestamped", "x-outpost-signature", "t=1700000000,v0=A,B,C"),
    ] {
        let model = &profile::find(id).unwrap().model;
        let event = event(b"{}", NOW * 1000);
        let names = ["A", "B", "C"];
        let mut text =
            value(&sign(model, &names, &event), header).map(str::to_owned).unwrap_or_default();
        for name in names {
            let alone = sign(model, &[name], &event);
            let first = model.sign.signature().unwrap();
            let alone =
                alone.iter().find(|(it, _)| format!("header:{it}") == first.signature.to_string());
            let alone = &alone.unwrap().1;
            let tag = alone.split("v1=").last().unwrap().split("v0=").last().unwrap();
            text = text.replace(tag, name);
        }
        assert_eq!(text, wanted, "{id}");
    }
}

#[test]
fn asymmetric_models_sign_with_a_private_key() {
    let pem = include_str!("../../keys/ed25519.pem");
    let public = include_str!("../../keys/ed25519.pub");
    let json = r#"{"sign": {"scheme": "ed25519", "signature": "header:x-acme-signature",
                            "encoding": "base64", "content": "{timestamp}.{body}",
                            "timestamp": {"source": "header:x-acme-timestamp", "unit": "ms"}}}"#;
    let model = SigningModel::from_json(json).unwrap();
    let event = event(b"{}", NOW * 1000 + 5);
    let signed = sign(&model, &[pem], &event);
    assert_eq!(value(&signed, "x-acme-timestamp"), Some("1700000000005"));
    received(&model, public, &event, &signed).unwrap();
    let key: PrivateKey = pem.parse().unwrap();
    assert!(model.key(pem).unwrap().public_key().is_some_and(|it| it == key.public_key()));
    let p256 = include_str!("../../keys/p256.pem");
    assert!(matches!(model.key(p256), Err(SignError::Secret(_))));
    assert!(matches!(model.key("text"), Err(SignError::Secret(_))));
    assert_eq!(model.generate([1; 32]), None);
}

#[test]
fn a_model_that_cannot_sign_every_message_is_refused() {
    let sign = |rest: &str| {
        format!(r#"{{"sign": {{"scheme": "hmac", "signature": "header:x-sig"{rest}}}}}"#)
    };
    for (json, reason) in [
        (sign(r#", "content": "{header:x-other}.{body}""#), "may be missing"),
        (sign(r#", "content": "{json:id}.{body}""#), "may be missing"),
        (sign(r#", "content": "{url}""#), "must cover the {body}"),
        (sign(r#", "content": "{timestamp}.{body}""#), "there is no timestamp"),
        (sign(r#", "timestamp": {"source": "query:t"}"#), "use a header"),
        (sign(r#", "hash": "crc""#), "is not a signing model"),
        (r#"{"sign": {"scheme": "basic"}}"#.to_owned(), "use hmac, ed25519 or ecdsa"),
        (r#"{"sign": {"scheme": "hmac", "signature": "json:sig"}}"#.to_owned(), "use a header"),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:content-length"}}"#.to_owned(),
            "is set by the server",
        ),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:x-*"}}"#.to_owned(),
            "is not the name of a header",
        ),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:x"}, "fields": {"h": "1"}}"#
                .to_owned(),
            "fields: need `parse`",
        ),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:x"}, "rotation": "repeat"}"#
                .to_owned(),
            "rotation: needs `parse`",
        ),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:x"}, "headers": {"X-A": "1"}}"#
                .to_owned(),
            "in lower case",
        ),
        (
            r#"{"sign": {"scheme": "hmac", "signature": "header:x"}, "headers": {"a": "{b}"}}"#
                .to_owned(),
            "is not known",
        ),
        (" ".repeat(9_000), "is longer than 8192 bytes"),
    ] {
        let error = SigningModel::from_json(&json).unwrap_err().to_string();
        assert!(error.contains(reason), "{json}: {error}");
    }
}

fn models() -> impl Strategy<Value = SigningModel> {
    let known: Vec<_> = profile::all().iter().map(|it| it.model.clone()).collect();
    let custom = [
        r#"{"sign": {"scheme": "hmac", "hash": "sha1", "signature": "header:x-hub-signature",
                     "parse": {"prefix": "sha1="}}}"#,
        r#"{"sign": {"scheme": "hmac", "hash": "sha512", "signature": "header:x-sig",
                     "parse": {"item_sep": " ", "prefix": "v1,"}, "encoding": "base64url",
                     "content": "{id}.{timestamp}.{method}.{path_query}.{body_sha256_hex}",
                     "id": "header:x-id", "timestamp": {"source": "header:x-time", "unit": "rfc3339"}},
            "rotation": "repeat"}"#,
        r#"{"sign": {"scheme": "hmac", "signature": "header:x-sig", "content": "{id}:{timestamp}:{body}",
                     "parse": {"item_sep": ";", "kv_sep": ":", "key": "s"},
                     "id": "field:i", "timestamp": {"source": "field:t", "unit": "ms"}},
            "rotation": "repeat"}"#,
    ]
    .map(|json| SigningModel::from_json(json).unwrap());
    proptest::sample::select([known, custom.to_vec()].concat())
}

proptest! {
    #[test]
    fn what_a_profile_signs_the_engine_verifies(
        model in models(),
        body: Vec<u8>,
        seconds in 0..4_000_000_000_u64,
        // The engine trims secrets, as people paste them.
        secrets in proptest::collection::vec("[!-~]{1,80}", 1..4),
        other in "[!-~]{81}",
    ) {
        let event = event(&body, seconds * 1000);
        let secrets: Vec<_> = secrets.iter().map(String::as_str).collect();
        let signed = sign(&model, &secrets, &event);
        prop_assert_eq!(received(&model, secrets[0], &event, &signed), Ok(()));
        prop_assert!(received(&model, &other, &event, &signed).is_err());
        let changed = [&body[..], b" "].concat();
        let changed = SignedEvent { body: &changed, ..event };
        prop_assert!(received(&model, secrets[0], &changed, &signed).is_err());
        if model.rotation == Rotation::Repeat {
            for secret in &secrets {
                prop_assert_eq!(received(&model, secret, &event, &signed), Ok(()));
            }
        }
    }
}
