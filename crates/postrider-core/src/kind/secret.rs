//! Hides the credentials of a configuration in responses.

use postrider::api::EndpointKind;
use serde_json::Value;
use url::Url;

use super::{Fields, secret_fields};

/// What responses show instead of a credential.
pub const MASK: &str = "***";

/// The configuration of an endpoint without its credentials.
pub fn mask(kind: EndpointKind, fields: &Fields) -> Fields {
    mask_fields(secret_fields(kind), fields)
}

/// A configuration without its credentials: the values of the `secrets`, and passwords in URLs.
pub fn mask_fields(secrets: &[&str], fields: &Fields) -> Fields {
    let masked = |(name, value): (&String, &Value)| {
        let is_secret = secrets.contains(&name.as_str());
        (name.clone(), if is_secret { mask_whole(value) } else { mask_urls(value) })
    };
    fields.iter().map(masked).collect()
}

/// The configuration that a client means if it sends `new` for one that it has seen masked: values
/// that are still masked keep what they were in `old`.
pub fn unmask(kind: EndpointKind, new: Fields, old: &Fields) -> Fields {
    unmask_fields(secret_fields(kind), new, old)
}

/// The same for a configuration with these `secrets`.
pub fn unmask_fields(secrets: &[&str], new: Fields, old: &Fields) -> Fields {
    let shown = mask_fields(secrets, old);
    let meant = |(name, value): (String, Value)| {
        let is_kept = shown.get(&name) == Some(&value);
        let value = if is_kept { old.get(&name).cloned().unwrap_or(value) } else { value };
        (name, value)
    };
    new.into_iter().map(meant).collect()
}

/// The credentials at the top that a client keeps by sending them masked.
pub fn kept(kind: EndpointKind, new: &Fields, old: &Fields) -> Vec<&'static str> {
    let shown = mask(kind, old);
    let is_kept = |name: &&&str| {
        let value = new.get(**name);
        value.is_some_and(|it| !it.is_null() && shown.get(**name) == Some(it))
    };
    secret_fields(kind).iter().filter(is_kept).copied().collect()
}

fn mask_whole(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Array(items) => items.iter().map(mask_whole).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), mask_whole(value))).collect()
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) => MASK.into(),
    }
}

/// Hides the passwords in URLs.
fn mask_urls(value: &Value) -> Value {
    match value {
        Value::String(text) => mask_url(text).map_or_else(|| value.clone(), Value::String),
        Value::Array(items) => items.iter().map(mask_urls).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), mask_urls(value))).collect()
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The URL with a hidden password, if the text is a URL with one.
fn mask_url(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(|url| url.password().is_some())?;
    url.set_password(Some(MASK)).ok()?;
    Some(url.to_string())
}

/// The URL without user name and password, for people.
pub(super) fn without_credentials(url: &Url) -> String {
    let mut url = url.clone();
    // URLs that cannot have credentials have none.
    url.set_username("").ok();
    url.set_password(None).ok();
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(fields) = value else { unreachable!() };
        fields
    }

    #[test]
    fn passwords_in_urls_are_hidden_and_kept_if_they_come_back_hidden() {
        let old = fields(serde_json::json!({ "url": "postgres://u:secret@db/x", "table": "t" }));
        let shown = mask(EndpointKind::Postgres, &old);
        assert_eq!(shown["url"], "postgres://u:***@db/x");
        assert_eq!(shown["table"], "t");
        assert_eq!(unmask(EndpointKind::Postgres, shown.clone(), &old), old);
        let mut changed = shown;
        changed.insert("url".to_owned(), "postgres://u:new@db/x".into());
        assert_eq!(unmask(EndpointKind::Postgres, changed.clone(), &old), changed);
    }
}
