//! What results contain: chosen fields, texts of limited length, and no secrets.

use serde_json::{Map, Value};
use url::Url;

/// Most characters of a text of third parties.
const MAX_UNTRUSTED: usize = 4_000;

/// Most characters of another text.
const MAX_TEXT: usize = 500;

/// A part of a record, field by field.
pub type Shown = Map<String, Value>;

/// The fields of the record that are named, except for those that are absent. Long texts are
/// shortened.
pub fn pick(record: &Value, fields: &[&str]) -> Shown {
    let of = |name: &&str| {
        let value = record.get(*name).filter(|it| !it.is_null())?;
        Some(((*name).to_owned(), shorten(name, value)))
    };
    fields.iter().filter_map(of).collect()
}

fn shorten(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if name == "url" => safe_url(text).into(),
        Value::String(text) => cut(text, MAX_TEXT).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.clone()
        },
    }
}

/// A URL without what may be a credential: the query, and paths of services whose URLs are secret.
pub fn safe_url(text: &str) -> String {
    let Ok(mut url) = text.parse::<Url>() else { return cut(text, MAX_TEXT) };
    let host = url.host_str().unwrap_or_default();
    let is_secret = ["hooks.slack.com", "discord.com", "discordapp.com", "api.telegram.org"]
        .contains(&host)
        || host.ends_with(".webhook.office.com")
        || host.ends_with(".logic.azure.com");
    if is_secret {
        url.set_path("/***");
    }
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    url.set_fragment(None);
    cut(url.as_str(), MAX_TEXT)
}

/// A text of third parties, as text whatever it contains.
pub fn untrusted(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) => cut(text, MAX_UNTRUSTED).into(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            cut(&other.to_string(), MAX_UNTRUSTED).into()
        },
    }
}

fn cut(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else { return text.to_owned() };
    let kept = text.get(..end).unwrap_or_default();
    format!("{kept}… [{} more bytes are not shown]", text.len() - end)
}
