//! The table of providers, and models that come as JSON.

use std::collections::BTreeSet;

use postrider::provider::{
    Content, Expression, Model, Parse, Provider, Selector, Settings, UnsignedRequest, all, find,
    sign,
};
use proptest::prelude::*;

use super::receive;

#[test]
fn every_provider_has_a_valid_model() {
    assert!(all().len() >= 144, "{}", all().len());
    let ids: BTreeSet<_> = all().iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids.len(), all().len(), "no id is there twice");
    for provider in all() {
        provider.model.validate().unwrap_or_else(|it| panic!("{}: {it}", provider.id));
        assert_eq!(find(&provider.id).unwrap().id, provider.id);
        let json = serde_json::to_string(&provider.model).unwrap();
        let again = Model::from_json(&json).unwrap_or_else(|it| panic!("{}: {it}", provider.id));
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
    }
}

#[test]
fn every_provider_says_where_it_is_documented_and_what_its_secret_is() {
    for provider in all() {
        assert!(provider.docs.starts_with("https://"), "{}: {}", provider.id, provider.docs);
        assert!(!provider.name.is_empty() && !provider.category.is_empty(), "{}", provider.id);
        assert_eq!(provider.secret.is_empty(), !provider.is_signed(), "{}", provider.id);
    }
}

#[test]
fn a_model_may_be_short() {
    let model = Model::from_json(
        r#"{
            "verify": { "scheme": "hmac", "signature": "header:X-Signature" },
            "event_type": "json:type + json:action",
            "event_id": ["header:X-Id", "json:id"]
        }"#,
    )
    .unwrap();
    let [event_type] = &model.event_type[..] else { panic!("{model:?}") };
    assert_eq!(event_type.to_string(), "json:type + json:action");
    assert_eq!(model.event_id.len(), 2);
}

#[track_caller]
fn refused(verify: &str, expected: &str) {
    let error = Model::from_json(&format!(r#"{{"verify":{verify}}}"#)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn an_invalid_model_is_rejected_with_the_reason() {
    let hmac = |rest: &str| format!(r#"{{"scheme":"hmac","signature":"header:x"{rest}}}"#);
    refused("[]", "verify is empty");
    refused(r#"{"scheme":"magic"}"#, "unknown variant `magic`");
    refused(r#"{"scheme":"hmac"}"#, "missing field `signature`");
    refused(
        r#"{"scheme":"hmac","signature":"x-signature"}"#,
        "does not select a value of a request",
    );
    refused(r#"{"scheme":"hmac","signature":"field:s"}"#, "signature cannot be field:s");
    refused(&hmac(r#","contents":"{body}""#), "unknown field `contents`");
    refused(&hmac(r#","content":"{bodi}""#), "{bodi} is not known");
    refused(&hmac(r#","content":"{body""#), "a { has no matching }");
    refused(&hmac(r#","content":"{timestamp}.{body}""#), "there is no timestamp");
    refused(&hmac(r#","content":"{id}.{body}""#), "there is no id");
    refused(&hmac(r#","hash":"sha3""#), "unknown variant `sha3`");
    refused(&hmac(r#","key":"pem""#), "use utf8, base64, hex or whsec");
    refused(&hmac(r#","parse":{"kv_sep":"="}"#), "needs both");
    refused(&hmac(r#","parse":{"item_sep":""}"#), "empty separator");
    refused(&hmac(r#","timestamp":{"source":"field:t"}"#), "field:t is not a name of parse");
    refused(r#"{"scheme":"digest","signature":"header:x"}"#, "anyone could sign");
    let rsa = r#"{"scheme":"rsa","signature":"header:x","content":"{secret}"}"#;
    refused(rsa, "the secret is a public key");
    refused(&format!("[{},{rsa}]", hmac("")), "verify[1] (rsa)");
    refused(r#"{"scheme":"shared_secret","source":"field:x"}"#, "source cannot be");
    let error = Model::from_json(r#"{"verify":{"scheme":"basic"},"event_id":"field:x"}"#);
    assert!(error.unwrap_err().to_string().starts_with("event_id: field:x"));
}

#[test]
fn a_header_is_split_into_its_parts() {
    let parse = |json: &str| serde_json::from_str::<Parse>(json).unwrap();
    let read = |json: &str, text: &str| {
        let parse = parse(json);
        let groups = parse.read(text);
        groups
            .iter()
            .map(|it| format!("{:?} {:?}", it.fields, it.candidates))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    let stripe = r#"{"item_sep":",","kv_sep":"=","key":"v1"}"#;
    for (json, text, expected) in [
        ("{}", "abc", r#"[] ["abc"]"#),
        ("{}", "", ""),
        (r#"{"prefix":"sha256="}"#, "sha256=abc", r#"[] ["abc"]"#),
        (r#"{"prefix":"sha256="}"#, "sha1=abc", ""),
        (stripe, "t=1,v1=a,v0=b,v1=c==", r#"[("t", "1"), ("v0", "b")] ["a", "c=="]"#),
        (stripe, "t=1, v1=a , nonsense", r#"[("t", "1")] ["a"]"#),
        (stripe, "t=1,v0=b", ""),
        (
            r#"{"item_sep":" ","kv_sep":",","key":"v1"}"#,
            "v1,a v1a,b v1,c",
            r#"[("v1a", "b")] ["a", "c"]"#,
        ),
        (
            r#"{"item_sep":",","positional":["timestamp"]}"#,
            "1,a,b",
            r#"[("timestamp", "1")] ["a", "b"]"#,
        ),
    ] {
        assert_eq!(read(json, text), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_parser_panics(text in "\\PC{0,40}", separator in "[,;= ]?") {
        let separator = Some(separator).filter(|it| !it.is_empty());
        let parse = Parse {
            group_sep: separator.clone(),
            item_sep: separator,
            kv_sep: Some("=".to_owned()),
            key: Some("v1".to_owned()),
            prefix: Some("é".to_owned()),
            positional: vec!["t".to_owned()],
        };
        let _groups = parse.read(&text);
        for text in [text.clone(), format!("json:{text}"), format!("{{{text}}}")] {
            if let Ok(content) = text.parse::<Content>() {
                prop_assert_eq!(content.to_string().parse::<Content>(), Ok(content));
            }
            if let Ok(source) = text.parse::<Selector>() {
                prop_assert_eq!(source.to_string().parse::<Selector>(), Ok(source));
            }
            let _expression = text.parse::<Expression>();
        }
    }
}

#[test]
fn the_model_in_the_documentation_is_valid() {
    let page = include_str!("../../../../../docs/models.md");
    let (_, rest) = page.split_once("```json\n").unwrap();
    let (json, _) = rest.split_once("```").unwrap();
    let provider = Provider::new("acme", Model::from_json(json).unwrap());
    let draft = UnsignedRequest {
        body: br#"{"type":"a","id":"1"}"#.to_vec(),
        ..UnsignedRequest::default()
    };
    let settings = Settings::new(["secret"]);
    let signed = sign(&provider, &settings, draft, 1_700_000_000).unwrap();
    let (name, value) = signed.headers.last().unwrap();
    assert_eq!(name, "x-acme-signature");
    assert!(value.starts_with("t=1700000000,v1="), "{value}");
    let verified = receive(&provider, &settings, &signed, 1_700_000_000).unwrap();
    assert_eq!(verified.event_type.as_deref(), Some("a"));
    assert_eq!(verified.event_id.as_deref(), Some("1"));
}
