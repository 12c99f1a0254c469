//! The bodies: made after the schema of an operation, and after what its parsers do.

use std::{fmt::Write as _, iter};

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The schemas of the document.
pub(super) struct Schemas<'a>(&'a Map<String, Value>);

impl<'a> Schemas<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self(document["components"]["schemas"].as_object().unwrap())
    }

    /// The schema that another one refers to, or is.
    pub(super) fn resolved(&self, schema: &Value) -> Value {
        let name = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next());
        name.map_or_else(|| schema.clone(), |name| self.0[name].clone())
    }
}

/// A body that is accepted by operations with required fields.
pub(super) fn valid(path: &str) -> Value {
    let path = path.trim_start_matches("/api/v1/app/a");
    match path {
        "/endpoint" => json!({ "url": "https://example.com" }),
        _ => json!({}),
    }
}

/// A plausible value of a required field.
fn plausible(name: &str) -> Value {
    match name {
        "url" => json!("https://example.com"),
        "type" => json!("custom"),
        "grantType" => json!("clientCredentials"),
        "authMethod" => json!("clientSecretBasic"),
        "tokenUrl" => json!("https://id.example.com/token"),
        "payload" | "headers" => json!({}),
        "since" => json!("2026-01-01T00:00:00Z"),
        "messages" => json!([{ "eventType": "x", "payload": {} }]),
        _ => json!("x"),
    }
}

/// Bodies within the limit, each with what it is.
pub(super) fn hostile(schema: Option<&Value>, limit: usize) -> Vec<(String, Bytes)> {
    let mut made = general(limit);
    let Some(schema) = schema else { return made };
    let empty = Map::new();
    let fields = schema["properties"].as_object().unwrap_or(&empty);
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut add = |what: String, start: &str, unit: &dyn Fn(usize) -> String, end: &str| {
        made.push((what, filled(start, unit, end, limit)));
    };
    for name in fields.keys() {
        // All that is required, and the field with a value that is as large as it can be.
        let mut start = String::from("{");
        for other in required.iter().filter(|it| *it != name) {
            write!(start, "\"{other}\":{},", plausible(other)).unwrap();
        }
        write!(start, "\"{name}\":").unwrap();
        for (kind, open, unit, close) in values() {
            add(
                format!("{name} of {kind}"),
                &format!("{start}{open}"),
                &*unit,
                &format!("{close}}}"),
            );
        }
        let again = |_: usize| format!(",\"{name}\":0");
        add(format!("{name} very often"), &format!("{start}0"), &again, "}");
        let unknown = |it: usize| format!(",\"f{it}\":0");
        add(
            format!("{name} wrong beside unknown fields"),
            &format!("{start}[{{}}]"),
            &unknown,
            "}",
        );
        let near = |it: usize| format!(",\"{name}{it}\":0");
        add(format!("{name} wrong beside its neighbours"), &format!("{start}[{{}}]"), &near, "}");
        for (kind, open, unit, close) in special(name) {
            add(
                format!("{name} of {kind}"),
                &format!("{start}{open}"),
                &*unit,
                &format!("{close}}}"),
            );
        }
    }
    made
}

/// Bodies that have nothing to do with a schema.
fn general(limit: usize) -> Vec<(String, Bytes)> {
    let mut made: Vec<(String, Bytes)> = [
        ("unknown fields", "{\"f\":0", ",\"f#\":0", "}"),
        ("an unknown field very often", "{\"f\":0", ",\"f\":0", "}"),
        ("a text", "\"", "x", "\""),
        ("a number", "", "9", ""),
        ("a number with an exponent", "1e", "9", ""),
        ("a list", "[0", ",0", "]"),
        ("open lists", "", "[", ""),
        ("open objects", "", "{\"a\":", ""),
        ("blanks", "", " ", ""),
        ("escapes", "{\"f\":\"", "\\u00e4", "\"}"),
        ("surrogates", "{\"f\":\"", "\\ud83d", "\"}"),
        ("quotes", "", "\"", ""),
    ]
    .map(|(what, start, unit, end)| {
        let unit = |it: usize| unit.replace('#', &it.to_string());
        (what.to_owned(), filled(start, &unit, end, limit))
    })
    .into();
    let deep = limit / 2 - 16;
    let nested = format!("{{\"f\":{}{}}}", "[".repeat(deep), "]".repeat(deep));
    made.push(("nested lists".to_owned(), nested.into()));
    let mut not_text = vec![b'x'; limit - 16];
    not_text.push(0xff);
    made.push(("bytes".to_owned(), [b"{\"f\":\"", &not_text[..], b"\"}"].concat().into()));
    made
}

type Unit = Box<dyn Fn(usize) -> String>;

/// Large values: where they begin, what is repeated, and where they end.
fn values() -> Vec<(&'static str, &'static str, Unit, &'static str)> {
    let numbered =
        |text: &'static str| -> Unit { Box::new(move |it| text.replace('#', &it.to_string())) };
    vec![
        ("a long text", "\"", numbered("x"), "\""),
        ("many texts", "[\"x\"", numbered(",\"x#\""), "]"),
        ("many texts that are no names", "[\"x\"", numbered(",\"?#\""), "]"),
        ("many numbers", "[0", numbered(",0"), "]"),
        ("many objects", "[{}", numbered(",{}"), "]"),
        ("many members", "{\"x\":\"x\"", numbered(",\"x#\":\"x\""), "}"),
        ("many members that are null", "{\"x\":null", numbered(",\"x#\":null"), "}"),
        ("many members that are wrong", "{\"x\":{}", numbered(",\"x#\":{}"), "}"),
        ("many members that are no names", "{\"x\":\"x\"", numbered(",\"?#\":\"\\n\""), "}"),
        ("one member often", "{\"x\":\"x\"", numbered(",\"x\":\"x\""), "}"),
        ("one member in many spellings", "{\"x\":\"x\"", Box::new(spelled), "}"),
        ("a large number", "", numbered("9"), ""),
        ("a URL", "\"https://example.com/", numbered("../a/"), "\""),
        ("a host", "\"https://", numbered("a."), "\""),
        ("an international host", "\"https://xn--", numbered("a"), "\""),
    ]
}

/// A name of letters in either case, a different one for each number.
fn spelled(index: usize) -> String {
    let letter = |bit: usize| if index >> bit & 1 == 0 { 'a' } else { 'A' };
    let name: String = (0..17).map(letter).collect();
    format!(",\"{name}\":\"x\"")
}

/// A large value: what it is, where it begins, what is repeated, and where it ends.
type Special = (&'static str, String, Unit, &'static str);

fn fixed(text: &'static str) -> Unit {
    Box::new(move |_| text.to_owned())
}

fn numbered(text: &'static str) -> Unit {
    Box::new(move |it| text.replace('#', &it.to_string()))
}

/// Values that are made for what is done with the field.
fn special(name: &str) -> Vec<Special> {
    match name {
        "schemas" => schemas(),
        "model" => models(),
        "messages" => messages(),
        "secrets" => vec![
            ("many secrets", r#"["s""#.into(), fixed(r#","s""#), "]"),
            ("a set of keys", r#"["{\"keys\":[{}"#.into(), fixed(",{}"), r#"]}"]"#),
        ],
        "trustedCertificates" | "identity" => vec![(
            "many certificates",
            r#""-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"#.into(),
            fixed(r"-----BEGIN CERTIFICATE-----\n"),
            "\"",
        )],
        "response" => vec![
            ("many places", r#"{"status":200,"body":""#.into(), fixed("{json:a}"), r#""}"#),
            ("open places", r#"{"status":200,"body":""#.into(), fixed("{"), r#""}"#),
        ],
        "application" => vec![(
            "unknown fields",
            r#"{"name":"x","throttleRate":"many""#.into(),
            numbered(r#","f#":0"#),
            "}",
        )],
        _ => Vec::new(),
    }
}

fn schemas() -> Vec<Special> {
    vec![
            ("versions", r#"{"1":{}"#.into(), numbered(r##","#":{}"##), "}"),
            ("wrong versions", r#"{"1":{}"#.into(), numbered(r##","#":{"type":1}"##), "}"),
            ("a pattern", r#"{"1":{"pattern":""#.into(), fixed(r"\\d"), r#""}}"#),
            ("a pattern of controls", r#"{"1":{"pattern":""#.into(), fixed(r"\\cA"), r#""}}"#),
            ("a pattern of groups", r#"{"1":{"pattern":""#.into(), fixed("(a*)*"), r#""}}"#),
            (
                "named patterns",
                r#"{"1":{"$schema":"http://json-schema.org/draft-07/schema#","patternProperties":{"a":{}"#
                    .into(),
                numbered(r#","\\d#":{}"#),
                "}}}",
            ),
            ("required fields", r#"{"1":{"required":["x""#.into(), numbered(r#","x#""#), "]}}"),
            ("wrong types", r#"{"1":{"properties":{"x":{}"#.into(), numbered(r#","x#":{"type":1}"#), "}}}"),
            ("choices", r#"{"1":{"anyOf":[{}"#.into(), fixed(r#",{"not":{"anyOf":[{"type":1}]}}"#), "]}}"),
            ("enumerated values", r#"{"1":{"enum":[0"#.into(), numbered(",#"), "]}}"),
        ]
}

fn models() -> Vec<Special> {
    let verify = r#"{"verify":[{"scheme":"hmac","signature":"header:x","content":""#;
    vec![
        ("a text without end", format!("{verify}{{"), fixed("a"), r#""}]}"#),
        ("many bodies", format!("{verify}{{body}}"), fixed("{body}"), r#""}]}"#),
        ("many schemes", r#"{"verify":["none""#.into(), fixed(r#",{"scheme":"none"}"#), "]}"),
        (
            "many expressions",
            r#"{"verify":[{"scheme":"none"}],"event_type":["json:a""#.into(),
            fixed(r#","json:a.b""#),
            "]}",
        ),
        (
            "a long expression",
            r#"{"verify":[{"scheme":"none"}],"event_type":"json:a"#.into(),
            fixed(" + json:a"),
            r#""}"#,
        ),
        ("a deep answer", r#"{"acknowledgements":[{"reply":{"json":"#.into(), fixed("["), "]}}]}"),
        (
            "a long answer",
            r#"{"acknowledgements":[{"reply":{"text":""#.into(),
            fixed("{body}"),
            r#""}}]}"#,
        ),
    ]
}

fn messages() -> Vec<Special> {
    vec![
        (
            "messages with unknown fields",
            r#"[{"eventType":"x","payload":{},"application":{"name":"x""#.into(),
            numbered(r#","f#":0"#),
            "}}]",
        ),
        (
            "many messages",
            r#"[{"eventType":"x","payload":{}}"#.into(),
            fixed(r#",{"eventType":"x","payload":{}}"#),
            "]",
        ),
        ("wrong messages", r#"[{"f":0}"#.into(), fixed(r#",{"f":0}"#), "]"),
    ]
}

/// A text that is filled up to the limit with a unit, each with its number.
fn filled(start: &str, unit: &dyn Fn(usize) -> String, end: &str, limit: usize) -> Bytes {
    let room = limit - start.len() - end.len();
    let mut text = String::with_capacity(limit);
    text.push_str(start);
    let mut used = 0;
    for more in iter::successors(Some(0), |it| Some(it + 1)).map(unit) {
        used += more.len();
        if used > room {
            break;
        }
        text.push_str(&more);
    }
    text.push_str(end);
    text.into()
}
