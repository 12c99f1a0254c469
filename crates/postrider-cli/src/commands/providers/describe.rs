//! A provider in words. The words are made of the model as it is written down, so that what a
//! scheme gains is shown without more ado.

use postrider::provider::{Model, Provider, Repeats, Scheme};
use serde_json::{Map, Value};

use super::object;

/// A provider in a line.
pub(super) struct Row {
    id: String,
    scheme: String,
    signature: String,
    event_type: String,
    event_id: String,
    asks: String,
}

impl Row {
    pub(super) const HEADS: [&str; 6] =
        ["NAME", "SIGNS WITH", "SIGNATURE", "EVENT TYPE", "EVENT ID", "ASKS"];

    pub(super) fn of(provider: &Provider) -> Self {
        let object = object(provider);
        let model = &object["model"];
        Self {
            id: provider.id.clone(),
            scheme: model["verify"].as_array().map_or_else(String::new, |it| schemes(it)),
            signature: place(&model["verify"][0]),
            event_type: first(&model["event_type"]),
            event_id: event_id(model),
            asks: asks(&model["handshakes"]),
        }
    }

    pub(super) fn cells(self) -> [String; 6] {
        let Self { id, scheme, signature, event_type, event_id, asks } = self;
        [id, scheme, signature, event_type, event_id, asks]
    }
}

/// Everything about a provider, as labels and texts.
pub(super) fn details(provider: &Provider) -> Vec<(String, String)> {
    let object = object(provider);
    let model = &object["model"];
    let mut details = Vec::new();
    let mut add = |label: &str, text: String| {
        if !text.is_empty() {
            details.push((label.to_owned(), text));
        }
    };
    add("category", text(&object["category"]));
    add("documentation", text(&object["docs"]));
    add("known from", confidence(&text(&object["confidence"])).to_owned());
    add("secret", text(&object["secret"]));
    for (index, scheme) in list(&model["verify"]).iter().enumerate() {
        add(if index == 0 { "signs with" } else { "or with" }, name(scheme));
        for (label, value) in parts(scheme) {
            add(&format!("  {label}"), value);
        }
    }
    add("event type", places(&model["event_type"]));
    add("unique event id", unique_places(model));
    add("event id", places(&model["event_id"]));
    add("id guarantee", text(&object["id_guarantee"]));
    add("repetitions", repetitions(&provider.model));
    add("parameters", lines(&object["parameters"], parameter));
    add("asks", lines(&model["handshakes"], handshake));
    add("expects back", acknowledgements(model));
    add("answers within", seconds(&object["response_deadline_seconds"]));
    add("repeats", text(&object["retry"]));
    add("notes", text(&object["notes"]));
    details
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn first(value: &Value) -> String {
    list(value).first().map_or_else(|| "-".to_owned(), text)
}

fn places(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(", else ")
}

/// A unique id, or else another one.
fn event_id(model: &Value) -> String {
    let unique = unique_places(model);
    let first_of = |it: &str| it.split(", else ").next().unwrap_or_default().to_owned();
    if unique.is_empty() { first(&model["event_id"]) } else { first_of(&unique) }
}

/// Places of unique ids in the request, and in the claims of tokens.
fn unique_places(model: &Value) -> String {
    let claims = list(&model["verify"]).iter().flat_map(|it| list(&it["unique_event_id"]));
    let claims = claims.map(|it| format!("claim:{}", text(it)));
    let places = list(&model["unique_event_id"]).iter().map(text);
    places.chain(claims).collect::<Vec<_>>().join(", else ")
}

/// How a source recognises that the provider repeats an event.
fn repetitions(model: &Model) -> String {
    let has_claim = |it: &Scheme| matches!(it, Scheme::Jwt(it) if !it.unique_event_id.is_empty());
    let mut ways = Vec::new();
    if !model.unique_event_id.is_empty() || model.verify.iter().any(has_claim) {
        ways.push("same unique event id");
    }
    match model.repeats {
        Repeats::Never => ways.clear(),
        Repeats::SameBody => ways.push("same type, id and body"),
        Repeats::SameContent if !model.event_id.is_empty() || model.verify.iter().any(is_timed) => {
            ways.push("same type, id and signed content");
        },
        Repeats::SameContent | Repeats::SameId => {},
    }
    if model.leaves_ids_open() {
        ways.push(match model.repeats {
            Repeats::Never => "same content and another id",
            _ => "same signed content, whatever the id",
        });
        return ways.join(", or ");
    }
    if ways.is_empty() {
        return "none: every request is an event".to_owned();
    }
    ways.join("; without one, ")
}

/// Whether two requests that it signs differ, even if their bodies do not.
fn is_timed(scheme: &Scheme) -> bool {
    let is_token = matches!(scheme, Scheme::Jwt(_));
    is_token || scheme.signature().is_some_and(|it| it.timestamp.is_some() || it.id.is_some())
}

fn lines(value: &Value, line: fn(&Value) -> String) -> String {
    list(value).iter().map(line).collect::<Vec<_>>().join("\n")
}

fn seconds(value: &Value) -> String {
    value.as_f64().map(|it| format!("{it} s, as far as is known")).unwrap_or_default()
}

fn schemes(schemes: &[Value]) -> String {
    let mut names: Vec<_> = schemes.iter().map(name).collect();
    names.dedup();
    names.join(", ")
}

/// The algorithm of a scheme: `HMAC-SHA256`.
fn name(scheme: &Value) -> String {
    let hash = text(&scheme["hash"]).to_uppercase();
    match scheme["scheme"].as_str().unwrap_or_default() {
        "hmac" => format!("HMAC-{hash}"),
        "digest" => hash,
        "ed25519" => "Ed25519".to_owned(),
        "ecdsa" => format!("ECDSA-{hash}"),
        "rsa" => format!("RSA-{hash}"),
        "jwt" => "JWT".to_owned(),
        "shared_secret" => "shared secret".to_owned(),
        "basic" => "basic auth".to_owned(),
        "none" => "nothing".to_owned(),
        "code" => "own scheme".to_owned(),
        other => other.to_owned(),
    }
}

/// Where a scheme's signature or secret stands.
fn place(scheme: &Value) -> String {
    let known = ["signature", "source", "token"].iter().find_map(|it| scheme[*it].as_str());
    match (known, scheme["scheme"].as_str()) {
        (Some(place), _) => place.to_owned(),
        (None, Some("basic")) => "header:authorization".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// What else a scheme says, in the order in which it is read.
fn parts(scheme: &Value) -> Vec<(String, String)> {
    let Some(scheme) = scheme.as_object() else { return Vec::new() };
    let labels = [
        ("signature", "signature in"),
        ("source", "stands in"),
        ("token", "token in"),
        ("parse", "written as"),
        ("encoding", "encoded as"),
        ("content", "signed"),
        ("key", "key is"),
        ("timestamp", "time"),
        ("id", "id"),
    ];
    let known = labels
        .iter()
        .filter_map(|(key, label)| Some(((*label).to_owned(), part(key, scheme.get(*key)?))));
    let is_other =
        |key: &str| !["scheme", "hash"].contains(&key) && !labels.iter().any(|(it, _)| *it == key);
    let others = scheme.iter().filter(|(key, _)| is_other(key));
    let others = others.map(|(key, value)| (key.replace('_', " "), part(key, value)));
    known.chain(others).collect()
}

fn part(key: &str, value: &Value) -> String {
    match (key, value) {
        ("parse", Value::Object(parse)) => parsing(parse),
        ("timestamp", Value::Object(time)) => timestamp(time),
        (_, value) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key}: {}", plain(value)));
            fields.collect::<Vec<_>>().join(", ")
        },
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// How a signature stands in its header: `v1=SIGNATURE among items with "," between them`.
fn parsing(parse: &Map<String, Value>) -> String {
    let field = |name: &str| parse.get(name).map(plain).unwrap_or_default();
    let item = format!("{}{}{}SIGNATURE", field("key"), field("kv_sep"), field("prefix"));
    let mut words = vec![item];
    let positional = field("positional");
    if !positional.is_empty() {
        words.push(format!("behind {positional}"));
    }
    for (name, what) in [("item_sep", "items"), ("group_sep", "groups")] {
        let separator = field(name);
        if !separator.is_empty() {
            words.push(format!("{what} have {separator:?} between them"));
        }
    }
    words.join("; ")
}

fn timestamp(time: &Map<String, Value>) -> String {
    let unit = match time.get("unit").and_then(Value::as_str).unwrap_or("s") {
        "s" => "seconds",
        "ms" => "milliseconds",
        "rfc3339" => "RFC 3339",
        "s_or_ms" => "seconds or milliseconds",
        other => other,
    };
    let source = time.get("source").map(plain).unwrap_or_default();
    let number = |name: &str| time.get(name).and_then(Value::as_u64);
    let age = number("tolerance_s")
        .map_or_else(|| "of any age".to_owned(), |it| format!("at most {it} s old"));
    let future = number("future_s").map(|it| format!(" and {it} s ahead")).unwrap_or_default();
    format!("{source} in {unit}, {age}{future}")
}

fn confidence(name: &str) -> &'static str {
    match name {
        "confirmed-vector" => "signatures that the provider published, which verify",
        "sdk-source" => "the provider's own library",
        "documented" => "the provider's documentation",
        "memory" => "practice",
        "incomplete" => "documentation that leaves something open",
        _ => "",
    }
}

fn parameter(parameter: &Value) -> String {
    let needed = if parameter["required"] == true { ", needed" } else { "" };
    format!("{}{needed}: {}", text(&parameter["name"]), text(&parameter["description"]))
}

fn asks(handshakes: &Value) -> String {
    let mut methods: Vec<_> =
        list(handshakes).iter().flat_map(|it| list(&it["methods"])).map(text).collect();
    methods.dedup();
    if methods.is_empty() { "-".to_owned() } else { methods.join(", ") }
}

/// What makes a request a question, and what is done about it.
fn handshake(handshake: &Value) -> String {
    let methods = plain(&handshake["methods"]).replace(", ", " or ");
    let conditions: Vec<_> =
        list(&handshake["when"]).iter().chain(list(&handshake["require"])).map(condition).collect();
    let mut words = vec![methods];
    if !conditions.is_empty() {
        words.push(format!(" with {}", conditions.join(" and ")));
    }
    if handshake["signed"] == true {
        words.push(", signed".to_owned());
    }
    if let Some(place) = handshake["capture"].as_str() {
        words.push(format!("; the secret in {place} is kept"));
    }
    if let Some(place) = handshake["confirm"]["url"].as_str() {
        words.push(format!("; the URL in {place} is called"));
    }
    if handshake["digest"].is_object() {
        words.push(format!("; digest is {}", plain(&handshake["digest"])));
    }
    words.push(format!("; answer: {}", reply(&handshake["reply"])));
    words.concat()
}

fn condition(condition: &Value) -> String {
    let at = text(&condition["at"]);
    match &condition["is"] {
        Value::Object(test) => {
            let (kind, value) = test
                .iter()
                .next()
                .map(|(kind, value)| (kind.as_str(), plain(value)))
                .unwrap_or_default();
            match kind {
                "text" => format!("{at} = {value}"),
                "parameter" => format!("{at} = the parameter {value}"),
                "optional_parameter" => format!("{at} = the parameter {value}, if there is one"),
                "hex" => format!("{at} = up to {value} hexadecimal digits"),
                other => format!("{at} {other} {value}"),
            }
        },
        Value::String(kind) if kind == "absent" => format!("no {at}"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => at,
    }
}

fn reply(reply: &Value) -> String {
    let mut words = vec![reply["status"].as_u64().unwrap_or(200).to_string()];
    if let Some(headers) = reply["headers"].as_object() {
        words.extend(headers.iter().map(|(name, value)| format!("{name}: {}", plain(value))));
    }
    if let Some(text) = reply["text"].as_str() {
        words.push(format!("`{text}`"));
    }
    if !reply["json"].is_null() {
        words.push(format!("`{}`", reply["json"]));
    }
    words.join(", ")
}

fn acknowledgements(model: &Value) -> String {
    let mut all: Vec<_> = list(&model["acknowledgements"])
        .iter()
        .map(|it| {
            let conditions: Vec<_> = list(&it["when"]).iter().map(condition).collect();
            let when = conditions.join(" and ");
            let reply = reply(&it["reply"]);
            if when.is_empty() { reply } else { format!("{reply} to {when}") }
        })
        .collect();
    if let Some(status) = model["refusal"]["status"].as_u64() {
        all.push(format!("{status} to what is refused"));
    }
    all.join("\n")
}
