//! Reads fields of records of other systems. What is missing is empty, and what is unknown is
//! ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postrider::api::Metadata;
use serde_json::Value;

/// A text; empty if there is none.
pub(super) fn text(it: &Value) -> String {
    it.as_str().unwrap_or_default().to_owned()
}

/// The first of the texts that is not empty.
pub(super) fn first_text(of: &[&Value]) -> String {
    of.iter().map(|it| text(it)).find(|it| !it.is_empty()).unwrap_or_default()
}

pub(super) fn items(it: &Value) -> &[Value] {
    it.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn texts(it: &Value) -> Vec<String> {
    items(it).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Names of event types; `None` for all.
pub(super) fn event_types(it: &Value) -> Option<Vec<String>> {
    let names = it.as_str().map_or_else(|| texts(it), |name| vec![name.to_owned()]);
    (!names.is_empty() && !names.iter().any(|name| name == "*")).then_some(names)
}

pub(super) fn time(it: &Value) -> Option<Timestamp> {
    it.as_str().and_then(|text| text.parse().ok())
}

/// Texts by name. Numbers and flags are written as text.
pub(super) fn pairs(it: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let fields = it.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

pub(super) fn metadata(it: &Value) -> Metadata {
    pairs(it).into_iter().collect()
}

/// Attempts per second, rounded up; `None` for no limit.
pub(super) fn rate(limit: &Value, period_seconds: u64) -> Option<u64> {
    let limit = limit.as_f64().filter(|it| *it > 0.0)?;
    let whole = limit.ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive")]
    let limit = whole as u64;
    Some(limit.div_ceil(period_seconds.max(1)).clamp(1, u16::MAX.into()))
}

/// A uid may hold letters, digits, `-`, `_` and `.`.
pub(super) fn uid(text: &str) -> String {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    text.chars().map(|it| if is_allowed(it) { it } else { '-' }).take(256).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_rounded_up_to_seconds() {
        for (limit, period, expected) in [
            (json!(null), 1, None),
            (json!(0), 60, None),
            (json!(5000), 60, Some(84)),
            (json!(0.5), 1, Some(1)),
            (json!(10), 3_600, Some(1)),
            (json!(100), 0, Some(100)),
            (json!(1_000_000), 1, Some(65_535)),
        ] {
            assert_eq!(rate(&limit, period), expected, "{limit} {period}");
        }
    }

    #[test]
    fn a_star_means_all_event_types() {
        assert_eq!(event_types(&json!(["*"])), None);
        assert_eq!(event_types(&json!("*")), None);
        assert_eq!(event_types(&json!(null)), None);
        assert_eq!(event_types(&json!(["a", "b"])), Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn uids_have_only_characters_of_uids() {
        assert_eq!(uid("Acme GmbH & Co"), "Acme-GmbH---Co");
        assert_eq!(uid("c_1.x"), "c_1.x");
    }
}
