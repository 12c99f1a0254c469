//! What would change if a record got these fields.

use serde_json::Value;

use super::model::Fields;

/// The names of the fields that differ. Fields that are not wanted do not count, and an absent
/// field is the same as an empty or false one.
pub(super) fn changed(wanted: &Fields, present: &Value) -> Vec<String> {
    let differs = |(name, value): &(&String, &Value)| {
        let present = &present[name.as_str()];
        // Secrets are not shown, and are compared separately.
        if *name == SIGNING { !is_same_signing(value, present) } else { !is_same(value, present) }
    };
    wanted.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

/// The signing profile of an endpoint.
const SIGNING: &str = "signing";

fn is_same_signing(wanted: &Value, present: &Value) -> bool {
    ["profile", "model", "standard"].iter().all(|it| is_same(&wanted[*it], &present[*it]))
}

fn is_same(wanted: &Value, present: &Value) -> bool {
    match (wanted, present) {
        _ if wanted == present => true,
        // The order of event types and channels has no meaning.
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().all(|it| other.contains(it))
        },
        _ => is_default(wanted) && is_default(present),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_fields_with_another_meaning_differ() {
        for (wanted, present, expected) in [
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), &[][..]),
            (json!({ "a": 1, "b": 3 }), json!({ "a": 1, "b": 2 }), &["b"]),
            (json!({ "a": null, "b": {}, "c": [], "d": false, "e": "" }), json!({}), &[]),
            (json!({ "a": null }), json!({ "a": 5 }), &["a"]),
            (json!({ "a": ["x", "y"] }), json!({ "a": ["y", "x"] }), &[]),
            (json!({ "a": ["x", "y"] }), json!({ "a": ["y"] }), &["a"]),
            (json!({ "a": true }), json!({}), &["a"]),
            (
                json!({ "signing": { "profile": "convoy" } }),
                json!({ "signing": { "profile": "convoy", "secrets": [{ "key": "***" }] } }),
                &[],
            ),
            (json!({ "signing": { "profile": "convoy" } }), json!({}), &["signing"]),
        ] {
            let Value::Object(fields) = &wanted else { unreachable!() };
            assert_eq!(changed(fields, &present), expected, "{wanted} {present}");
        }
    }
}
