//! Filters that try to take too much time, memory or stack.

use std::{borrow::Cow, fmt::Write as _};

use postrider::api::endpoint::MAX_FILTER;
use proptest::prelude::*;

use crate::filter::{Filter, Subject, json::Json};

use super::{PAYLOAD, evaluate, message, metadata};

#[test]
fn a_filter_has_a_limited_length() {
    let longest = format!("type == '{}'", "a".repeat(MAX_FILTER - 10));
    assert_eq!(longest.len(), MAX_FILTER);
    assert!(Filter::new(&longest).is_ok());
    let error = Filter::new(&format!("{longest} ")).unwrap_err();
    assert_eq!(error.message, "the filter has 2001 bytes; it can have 2000");
}

#[test]
fn deep_and_large_expressions_are_refused() {
    let half = MAX_FILTER / 2;
    let deep = "nested too deeply";
    let refused = |filter: &str, reason: &str| {
        let filter: String = filter.chars().take(MAX_FILTER).collect();
        let error = Filter::new(&filter).unwrap_err();
        assert!(error.message.contains(reason), "{filter}: {error}");
    };
    refused(&"(".repeat(MAX_FILTER), deep);
    refused(&"[".repeat(MAX_FILTER), deep);
    refused(&"{".repeat(MAX_FILTER), deep);
    refused(&"!".repeat(MAX_FILTER), deep);
    refused(&"-".repeat(MAX_FILTER), deep);
    refused(&"size(".repeat(400), deep);
    refused(&"has(".repeat(400), "nested too deeply");
    refused(&format!("{}1", "1+".repeat(half - 1)), deep);
    refused(&format!("{}1", "payload<".repeat(240)), deep);
    refused(&format!("payload{}", ".a".repeat(half - 4)), deep);
    refused(&format!("payload{}", "[0]".repeat(600)), deep);
    refused(&"true?true:".repeat(190), deep);
    refused(&format!("{}true", "payload==".repeat(200)), deep);
    refused(
        &format!("({}", "(payload.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a".repeat(45)),
        "too complex",
    );
    refused(&format!("1 in [{}1]", "1,".repeat(900)), "too complex");
    refused(&format!("{}1 in []", "1 in [] || ".repeat(179)), "too complex");
    refused("payload.a.all(a, a.all(b, b.all(c, c)))", "at most 2");
    let pattern = "payload.a.matches('a') || ";
    refused(&format!("{}true", pattern.repeat(5)), "can have 4 patterns");
    refused("payload.a.matches('(a{100}){100}')", "too large");
    refused(r"payload.a.matches('((\\w{1,30}){1,30}){1,30}')", "too large");
    refused(&format!("payload.a.matches('{}')", "(".repeat(900)), "not valid");
}

#[test]
fn a_long_chain_of_conditions_is_not_deep() {
    let filter = vec!["payload.n==4"; 120].join("||");
    assert_eq!(evaluate(&filter, PAYLOAD), Ok(false));
}

/// A payload of about a megabyte.
fn large() -> String {
    let mut items = String::new();
    for index in 0..10_000 {
        write!(items, r#"{{"sku":"sku-{index}","n":{index},"tags":["a","b"]}},"#).unwrap();
    }
    let text = "a".repeat(400_000);
    format!(r#"{{"items":[{items}{{}}],"few":[{}0],"text":"{text}"}}"#, "1,".repeat(5_000))
}

#[test]
fn what_takes_long_is_stopped() {
    let payload = large();
    let (message, metadata) = (message(&payload), metadata());
    for filter in [
        "payload.few.all(i, payload == payload)",
        "payload.few.all(i, payload.items == payload.items)",
        "payload.few.all(i, payload.few.all(j, i != -j))",
        "payload.few.all(i, !(-1 in payload.few))",
        "payload.few.all(i, !payload.text.contains('b'))",
        "payload.few.all(i, payload.text.matches('^(a|b)*c'))",
        "payload.text.matches('(a|aa|aaa|aaaa)*b')",
        "payload.text.matches('[ab]*a[ab]{40}$')",
        "payload.few.all(i, size(payload.text) > 0)",
        "payload.few.all(i, payload.text == payload.text)",
        "payload.few.all(i, payload.text <= payload.text)",
        "payload.few.all(i, payload.text.lowerAscii() == payload.text)",
        "payload.few.all(i, (payload.few + payload.few).size() > 0)",
        "payload.few.all(i, payload.few.map(j, payload.few).size() > 0)",
        "payload.few.map(i, payload.few.map(j, payload.few + payload.few)) == []",
        "payload.few.all(i, timestamp('2026-01-01T00:00:00Z').getFullYear() > 0)",
        "payload.few.exists(i, payload.few.exists(j, payload.absent == 1))",
    ] {
        let subject = Subject::new(&message, &metadata);
        let filter_text = filter;
        let filter = Filter::new(filter).unwrap();
        let reason = filter.matches(&subject).unwrap_err().reason;
        assert!(reason.contains("takes too long"), "{filter_text}: {reason}");
    }
}

#[test]
fn lists_and_strings_have_limits() {
    let payload = large();
    let check = |filter: &str, part: &str| {
        let reason = evaluate(filter, &payload).unwrap_err();
        assert!(reason.contains(part), "{filter}: {reason}");
    };
    check("payload.items.all(i, true)", "more than 10000 items");
    check("(payload.text + payload.text).contains('b')", "longer than 65536 bytes");
    assert_eq!(evaluate("payload.few.all(i, i < 2)", &payload), Ok(true));
}

#[test]
fn all_filters_of_a_message_share_a_limit() {
    let payload = large();
    let (message, metadata) = (message(&payload), metadata());
    let subject = Subject::new(&message, &metadata);
    let slow = Filter::new("payload.few.all(i, payload.few.all(j, i != -j))").unwrap();
    for _ in 0..20 {
        assert!(slow.matches(&subject).is_err());
    }
    let quick = Filter::new("type == 'order.created'").unwrap();
    assert!(quick.matches(&subject).unwrap_err().reason.contains("takes too long"));
}

#[test]
fn payloads_can_be_nested_as_deeply_as_the_parser_accepts() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(evaluate("payload == payload", &nested(127)), Ok(true));
    assert!(evaluate("payload == payload", &nested(100_000)).is_err());
}

/// Text that looks like filters.
fn fragments() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "payload",
        ".n",
        ".list",
        ".items",
        "[0]",
        "['s']",
        "1",
        "2.5",
        "3u",
        "'x'",
        "\"\\u00e9\"",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "+",
        "-",
        "*",
        "/",
        "%",
        "!",
        "?",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        " in ",
        "has(",
        ".exists(i,",
        ".all(j,",
        ".map(k,",
        ".matches('a+')",
        "size(",
        "int(",
        "timestamp(",
        "duration('1s')",
        ".getHours()",
        "type",
        "channels",
        "null",
        "true",
        "false",
        "//",
        "\n",
        "é",
        "r'\\d'",
        "i",
        "'''",
        "0x1f",
        "e9",
        " ",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// JSON of any form.
fn json() -> impl Strategy<Value = Json<'static>> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        any::<i32>().prop_map(|it| Json::Double(f64::from(it) + 0.5)),
        ".{0,8}".prop_map(|text| Json::Text(Cow::Owned(text))),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop::sample::select(vec!["n", "list", "items", "s"]).prop_map(Cow::Borrowed);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::vec((key, inner), 0..6).prop_map(Json::map),
        ]
    })
}

fn written(json: &Json<'_>) -> serde_json::Value {
    match json {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::Int(value) => (*value).into(),
        Json::UInt(value) => (*value).into(),
        Json::Double(value) => (*value).into(),
        Json::Text(text) => text.as_ref().into(),
        Json::List(items) => items.iter().map(written).collect(),
        Json::Map(entries) => {
            entries.iter().map(|(key, value)| (key.to_string(), written(value))).collect()
        },
    }
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_refused(text in "\\PC{0,80}", fragments in fragments()) {
        for text in [&text, &fragments] {
            if let Err(error) = Filter::new(text) {
                prop_assert!(error.line >= 1 && error.column >= 1);
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn a_filter_has_a_result_for_any_payload(fragments in fragments(), payload in json()) {
        if let Ok(filter) = Filter::new(&fragments) {
            let payload = written(&payload).to_string();
            let (message, metadata) = (message(&payload), metadata());
            let subject = Subject::new(&message, &metadata);
            let first = filter.matches(&subject);
            prop_assert_eq!(filter.matches(&subject), first);
        }
    }

    #[test]
    fn a_payload_is_read_as_it_was_written(payload in json()) {
        let text = written(&payload).to_string();
        let read: Json<'_> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(written(&read), written(&payload));
        prop_assert_eq!(evaluate("payload == payload", &text), Ok(true));
    }
}
