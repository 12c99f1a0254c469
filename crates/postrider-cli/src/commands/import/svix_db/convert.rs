//! Rows of the Svix server, in the form of the importer.

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use postrider::api::{ImportedMessageIn, message};
use postrider_core::svix_key::{self, KeyError};
use postrider_store::TextRow;
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use crate::{
    commands::import::model::{Application, Endpoint, EventType, Secret, uid_of},
    failure::Advice,
};

pub(super) fn event_type(row: &Value) -> EventType {
    let flag: Option<String> = parsed(&row["feature_flag"]);
    let flags: Option<Vec<String>> = parsed(&row["feature_flags"]);
    EventType {
        name: text(&row["name"]),
        description: text(&row["description"]),
        // The server has no other mark for archived ones.
        archived: row["deleted"] == true,
        deprecated: row["deprecated"] == true,
        schemas: Some(&row["schemas"]).filter(|it| it.is_object()).cloned(),
        group_name: parsed(&row["group_name"]),
        feature_flags: flags.unwrap_or_else(|| flag.into_iter().collect()),
    }
}

pub(super) fn application(row: &Value) -> Application {
    Application {
        source_id: text(&row["id"]),
        uid: uid(row),
        name: text(&row["name"]),
        rate_limit: row["rate_limit"].as_u64(),
        ..Application::default()
    }
}

fn uid(row: &Value) -> String {
    let uid = row["uid"].as_str().filter(|it| !it.is_empty());
    uid.map_or_else(|| uid_of(&text(&row["id"])), str::to_owned)
}

pub(super) fn endpoint(row: &Value, main_secret: Option<&str>) -> anyhow::Result<Endpoint> {
    let some = |list: &Vec<String>| !list.is_empty();
    Ok(Endpoint {
        source_id: text(&row["id"]),
        uid: uid(row),
        url: text(&row["url"]),
        description: text(&row["description"]),
        event_types: parsed(&row["event_types_ids"]).filter(some),
        channels: parsed(&row["channels"]).filter(some),
        rate_limit: row["rate_limit"].as_u64(),
        disabled: row["disabled"] == true,
        headers: parsed(&row["headers"]).unwrap_or_default(),
        secrets: secrets(row, main_secret)
            .with_context(|| format!("the signing secret of {}", text(&row["id"])))?,
        ..Endpoint::default()
    })
}

/// The present secret, then the older ones, newest first.
fn secrets(row: &Value, main_secret: Option<&str>) -> anyhow::Result<Vec<Secret>> {
    let stored = bytea(&row["key"])?;
    let mut secrets = vec![Secret { key: open(&stored, main_secret)?, expires_at: None }];
    let mut older = Vec::new();
    for old in row["old_keys"].as_array().into_iter().flatten() {
        let key = match old["signingKey"].as_str().unwrap_or_default() {
            plain if plain.starts_with("whsec_") => plain.to_owned(),
            encoded => open(&STANDARD.decode(encoded)?, main_secret)?,
        };
        let expires_at: Timestamp = text(&old["expiration"]).parse()?;
        older.push(Secret { key, expires_at: Some(expires_at) });
    }
    older.sort_by_key(|it| std::cmp::Reverse(it.expires_at));
    let now = i64::try_from(crate::commands::now()?.as_secs())?;
    older.retain(|it| it.expires_at.is_some_and(|at| at.as_second() > now));
    secrets.extend(older);
    Ok(secrets)
}

fn open(stored: &[u8], main_secret: Option<&str>) -> anyhow::Result<String> {
    let opened = svix_key::open(stored, main_secret).map_err(|error| {
        let hint = match error {
            KeyError::NoMainSecret | KeyError::OtherMainSecret => {
                "set --main-secret to the `main_secret` of the server's configuration \
                 (SVIX_MAIN_SECRET)"
            },
            KeyError::Unknown => "import the rest through the API with `postrider import svix`",
        };
        Advice { message: error.to_string(), hint: hint.to_owned(), source: None }
    })?;
    Ok(opened.to_string())
}

/// The bytes of a `bytea` as JSON: hexadecimal digits after `\x`.
fn bytea(value: &Value) -> anyhow::Result<Vec<u8>> {
    let Some(digits) = value.as_str().and_then(|it| it.strip_prefix("\\x")) else {
        bail!("the column is not a bytea");
    };
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Into::into);
    pairs.map(byte).collect()
}

/// A message, from its row without the payload and its payload.
pub(super) fn message(columns: TextRow) -> anyhow::Result<ImportedMessageIn> {
    let mut columns = columns.into_iter();
    let row = columns.next().flatten().context("a message has no row")?;
    let row: Value = serde_json::from_str(&row)?;
    let payload = match columns.next().flatten() {
        Some(json) => RawValue::from_string(json)?,
        None => message::expired(),
    };
    Ok(ImportedMessageIn {
        id: text(&row["id"]),
        event_type: text(&row["event_type"]),
        payload,
        timestamp: text(&row["created_at"]).parse()?,
        event_id: parsed(&row["uid"]),
        channels: parsed(&row["channels"]),
        tags: parsed(&row["tags"]),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_become_records() {
        let key = format!("\\x{}", "01".repeat(24));
        let old = STANDARD.encode([2; 24]);
        let row = json!({
            "id": "ep_2srOrx2ZWZBpBUvZwXKQmoEYga2", "uid": null, "url": "https://a/b", "key": key,
            "description": "d", "event_types_ids": ["a.b"], "channels": null, "rate_limit": 5,
            "disabled": false, "headers": { "authorization": "x" },
            "old_keys": [
                { "signingKey": old, "expiration": "2999-01-01T00:00:00Z" },
                { "signingKey": old, "expiration": "2020-01-01T00:00:00Z" },
            ],
        });
        let endpoint = endpoint(&row, None).unwrap();
        assert_eq!(endpoint.uid, "ep_2srOrx2ZWZBpBUvZwXKQmoEYga2");
        assert_eq!(endpoint.secrets.len(), 2, "an expired secret is left out");
        assert_eq!(endpoint.secrets[0].key, format!("whsec_{}", STANDARD.encode([1; 24])));
        assert_eq!(endpoint.secrets[1].key, format!("whsec_{old}"));
        assert_eq!(endpoint.headers["authorization"], "x");
        let row = json!({
            "id": "msg_1", "event_type": "a.b", "created_at": "2026-11-01T10:00:00.123456+00:00",
            "uid": "evt", "channels": ["c"],
        });
        let read = message(vec![Some(row.to_string()), Some("{\"a\": 1.0}".to_owned())]).unwrap();
        assert_eq!((read.payload.get(), read.event_id.as_deref()), ("{\"a\": 1.0}", Some("evt")));
        let read = message(vec![Some(row.to_string()), None]).unwrap();
        assert_eq!(read.payload.get(), r#"{"expired":true}"#);
    }
}
