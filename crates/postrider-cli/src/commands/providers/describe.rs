//! Describes providers. Works on the JSON form of the model, so that new fields of a scheme appear
//! without changes here.

use postrider::provider::{DuplicateRule, Model, Provider, Scheme};
use serde_json::{Map, Value};

/// One line of the table of providers.
pub(super) struct Row {
    id: String,
    scheme: String,
    signature: String,
    event_type: String,
    event_id: String,
    handshake: String,
}

impl Row {
    pub(super) const HEADINGS: [&str; 6] =
        ["NAME", "SIGNS WITH", "SIGNATURE", "EVENT TYPE", "EVENT ID", "HANDSHAKE"];

    pub(super) fn of(provider: &Provider) -> Self {
        let object = to_json(provider);
        let model = &object["model"];
        Self {
            id: provider.id.clone(),
            scheme: model["verify"].as_array().map_or_else(String::new, |it| schemes(it)),
            signature: place(&model["verify"][0]),
            event_type: first(&model["event_type"]),
            event_id: event_id(model),
            handshake: handshake_methods(&model["handshakes"]),
        }
    }

    pub(super) fn cells(self) -> [String; 6] {
        let Self { id, scheme, signature, event_type, event_id, handshake } = self;
        [id, scheme, signature, event_type, event_id, handshake]
    }
}

/// The full description of a provider, as labels and texts.
pub(super) fn details(provider: &Provider) -> Vec<(String, String)> {
    let object = to_json(provider);
    let model = &object["model"];
    let mut details = Vec::new();
    let mut add = |label: &str, text: String| {
        if !text.is_empty() {
            details.push((label.to_owned(), text));
        }
    };
    add("category", text(&object["category"]));
    add("documentation", text(&object["docs"]));
    add("based on", confidence(&text(&object["confidence"])).to_owned());
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
    add("id uniqueness", text(&object["id_guarantee"]));
    add("duplicates", duplicates(&provider.model));
    add("parameters", lines(&object["parameters"], parameter));
    add("handshake", lines(&model["handshakes"], handshake));
    add("expected response", acknowledgements(model));
    add("response timeout", seconds(&object["response_deadline_seconds"]));
    add("retries", text(&object["retry"]));
    add("notes", text(&object["notes"]));
    details
}

/// The provider as in `postrider providers --json`.
pub(super) fn to_json(provider: &Provider) -> Value {
    serde_json::to_value(provider).expect("a provider was read from JSON")
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
    list(value).iter().map(text).collect::<Vec<_>>().join(", or ")
}

/// The place of the unique id, or of another one.
fn event_id(model: &Value) -> String {
    let unique = unique_places(model);
    let first_of = |it: &str| it.split(", or ").next().unwrap_or_default().to_owned();
    if unique.is_empty() { first(&model["event_id"]) } else { first_of(&unique) }
}

/// Places of unique ids, in the request or in the claims of a JWT.
fn unique_places(model: &Value) -> String {
    let claims = list(&model["verify"]).iter().flat_map(|it| list(&it["unique_event_id"]));
    let claims = claims.map(|it| format!("claim:{}", text(it)));
    let places = list(&model["unique_event_id"]).iter().map(text);
    places.chain(claims).collect::<Vec<_>>().join(", or ")
}

/// How a source recognizes a repeated event.
fn duplicates(model: &Model) -> String {
    let has_claim = |it: &Scheme| matches!(it, Scheme::Jwt(it) if !it.unique_event_id.is_empty());
    let mut rules = Vec::new();
    if !model.unique_event_id.is_empty() || model.verify.iter().any(has_claim) {
        rules.push("same unique event id");
    }
    match model.repeats {
        DuplicateRule::Never => rules.clear(),
        DuplicateRule::SameBody => rules.push("same type, id and body"),
        DuplicateRule::SameContent
            if !model.event_id.is_empty() || model.verify.iter().any(is_timed) =>
        {
            rules.push("same type, id and signed content");
        },
        DuplicateRule::SameContent | DuplicateRule::SameId => {},
    }
    if model.has_unsigned_ids() {
        rules.push(match model.repeats {
            DuplicateRule::Never => "same content with another id",
            DuplicateRule::SameContent | DuplicateRule::SameBody | DuplicateRule::SameId => {
                "same signed content, whatever the id"
            },
        });
        return rules.join(", or ");
    }
    if rules.is_empty() {
        return "never: every request is a new event".to_owned();
    }
    rules.join("; without an id: ")
}

/// Whether the signed content differs between requests with the same body.
fn is_timed(scheme: &Scheme) -> bool {
    let is_token = matches!(scheme, Scheme::Jwt(_));
    is_token || scheme.signature().is_some_and(|it| it.timestamp.is_some() || it.id.is_some())
}

fn lines(value: &Value, line: fn(&Value) -> String) -> String {
    list(value).iter().map(line).collect::<Vec<_>>().join("\n")
}

fn seconds(value: &Value) -> String {
    value.as_f64().map(|it| format!("{it} s (approximately)")).unwrap_or_default()
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
        "none" => "no signature".to_owned(),
        "code" => "custom scheme".to_owned(),
        other => other.to_owned(),
    }
}

/// The place of a scheme's signature or secret.
fn place(scheme: &Value) -> String {
    let known = ["signature", "source", "token"].iter().find_map(|it| scheme[*it].as_str());
    match (known, scheme["scheme"].as_str()) {
        (Some(place), _) => place.to_owned(),
        (None, Some("basic")) => "header:authorization".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

/// The other properties of a scheme; the known ones first, in reading order.
fn parts(scheme: &Value) -> Vec<(String, String)> {
    let Some(scheme) = scheme.as_object() else { return Vec::new() };
    let labels = [
        ("signature", "signature in"),
        ("source", "secret in"),
        ("token", "token in"),
        ("parse", "format"),
        ("encoding", "encoding"),
        ("content", "signed content"),
        ("key", "key format"),
        ("timestamp", "timestamp"),
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

/// The format of the signature header: `v1=SIGNATURE; items separated by ","`.
fn parsing(parse: &Map<String, Value>) -> String {
    let field = |name: &str| parse.get(name).map(plain).unwrap_or_default();
    let item = format!("{}{}{}SIGNATURE", field("key"), field("kv_sep"), field("prefix"));
    let mut words = vec![item];
    let positional = field("positional");
    if !positional.is_empty() {
        words.push(format!("after {positional}"));
    }
    for (name, what) in [("item_sep", "items"), ("group_sep", "groups")] {
        let separator = field(name);
        if !separator.is_empty() {
            words.push(format!("{what} separated by {separator:?}"));
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
        .map_or_else(|| "any age".to_owned(), |it| format!("at most {it} s old"));
    let future = number("future_s").map(|it| format!(" and {it} s ahead")).unwrap_or_default();
    format!("{source} in {unit}, {age}{future}")
}

fn confidence(name: &str) -> &'static str {
    match name {
        "confirmed-vector" => "signatures published by the provider",
        "sdk-source" => "the provider's SDK",
        "documented" => "the provider's documentation",
        "memory" => "experience",
        "incomplete" => "incomplete documentation",
        _ => "",
    }
}

fn parameter(parameter: &Value) -> String {
    let needed = if parameter["required"] == true { ", required" } else { "" };
    format!("{}{needed}: {}", text(&parameter["name"]), text(&parameter["description"]))
}

fn handshake_methods(handshakes: &Value) -> String {
    let mut methods: Vec<_> =
        list(handshakes).iter().flat_map(|it| list(&it["methods"])).map(text).collect();
    methods.dedup();
    if methods.is_empty() { "-".to_owned() } else { methods.join(", ") }
}

/// How a handshake is recognized, and the response to it.
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
        words.push(format!("; stores the secret in {place}"));
    }
    if let Some(place) = handshake["confirm"]["url"].as_str() {
        words.push(format!("; calls the URL in {place}"));
    }
    if handshake["digest"].is_object() {
        words.push(format!("; digest: {}", plain(&handshake["digest"])));
    }
    words.push(format!("; response: {}", reply(&handshake["reply"])));
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
                "optional_parameter" => format!("{at} = the parameter {value}, if set"),
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
        .map(|acknowledgement| {
            let conditions = list(&acknowledgement["when"]).iter().map(condition);
            let when = conditions.collect::<Vec<_>>().join(" and ");
            let reply = reply(&acknowledgement["reply"]);
            if when.is_empty() { reply } else { format!("{reply} to {when}") }
        })
        .collect();
    if let Some(status) = model["refusal"]["status"].as_u64() {
        all.push(format!("{status} to rejected requests"));
    }
    all.join("\n")
}
