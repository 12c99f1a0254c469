//! What a change of a record changed: its fields with their old and new values, without secrets.

use postrider::api::{AuditChange, Withheld};
use serde_json::{Map, Value};

/// Fields that are listed for one change.
const MAX_FIELDS: usize = 100;

/// Bytes of the old and the new value of one field.
const MAX_FIELD_BYTES: usize = 1_024;

/// Bytes of all values of one change.
const MAX_BYTES: usize = 16 << 10;

/// Objects within objects that are compared field by field.
const MAX_DEPTH: usize = 3;

/// Fields that change with every save.
const IGNORED: [&str; 2] = ["updated_at", "created_at"];

/// Fields that contain secrets, digests of secrets, or values that users consider secret.
const SECRET: [&str; 11] = [
    "authentication",
    "authorization",
    "certificate",
    "config",
    "credentials",
    "digest",
    "headers",
    "key",
    "parameters",
    "public_url",
    "token",
];

/// A field whose name contains one of these is secret, too.
const SECRET_PARTS: [&str; 6] = ["secret", "password", "token", "credential", "private", "api_key"];

/// The fields that differ between two states of a record, as JSON. `None` is a record that does
/// not exist.
pub fn changes(old: Option<&Value>, new: Option<&Value>) -> Vec<AuditChange> {
    let mut found = Found::default();
    found.compare(&[], old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null));
    found.changes
}

/// What an operation was asked for, if it changes no record: each parameter as a new value.
pub fn parameters<'a>(parameters: impl IntoIterator<Item = (&'a str, Value)>) -> Vec<AuditChange> {
    let new = parameters.into_iter().map(|(name, value)| (name.to_owned(), value));
    changes(None, Some(&Value::Object(new.collect())))
}

#[derive(Default)]
struct Found {
    changes: Vec<AuditChange>,
    bytes: usize,
}

impl Found {
    fn compare(&mut self, path: &[&str], old: &Value, new: &Value) {
        if is_same(old, new) || self.changes.len() >= MAX_FIELDS {
            return;
        }
        if path.last().is_some_and(|name| IGNORED.contains(name)) {
            return;
        }
        if path.last().is_some_and(|name| is_secret(name)) {
            return self.withhold(path, Withheld::Secret);
        }
        match fields_of(path, old, new) {
            Some((old, new)) => self.compare_fields(path, old, new),
            None => self.add(path, old, new),
        }
    }

    fn compare_fields(
        &mut self,
        path: &[&str],
        old: Option<&Map<String, Value>>,
        new: Option<&Map<String, Value>>,
    ) {
        let of = |fields: Option<&Map<String, Value>>, name: &str| {
            fields.and_then(|fields| fields.get(name)).cloned().unwrap_or_default()
        };
        let mut names: Vec<&String> =
            old.into_iter().chain(new).flat_map(|fields| fields.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            self.compare(&[path, &[name]].concat(), &of(old, name), &of(new, name));
        }
    }

    fn add(&mut self, path: &[&str], old: &Value, new: &Value) {
        if [old, new].iter().any(|value| has_secret(value)) {
            return self.withhold(path, Withheld::Secret);
        }
        let bytes = size(old) + size(new);
        if bytes > MAX_FIELD_BYTES || self.bytes + bytes > MAX_BYTES {
            return self.withhold(path, Withheld::Size);
        }
        self.bytes += bytes;
        let shown = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        self.changes.push(AuditChange {
            field: field(path),
            old: shown(old),
            new: shown(new),
            withheld: None,
        });
    }

    fn withhold(&mut self, path: &[&str], withheld: Withheld) {
        let (field, withheld) = (field(path), Some(withheld));
        self.changes.push(AuditChange { field, old: None, new: None, withheld });
    }
}

/// The fields of both values, if they are to be compared one by one.
#[expect(clippy::type_complexity, reason = "a pair of optional maps")]
fn fields_of<'a>(
    path: &[&str],
    old: &'a Value,
    new: &'a Value,
) -> Option<(Option<&'a Map<String, Value>>, Option<&'a Map<String, Value>>)> {
    let is_comparable = |value: &Value| value.is_object() || value.is_null();
    let compares = path.len() < MAX_DEPTH && is_comparable(old) && is_comparable(new);
    compares.then(|| (old.as_object(), new.as_object()))
}

/// Whether both are equal, or both are nothing: a new record does not list its empty fields.
fn is_same(old: &Value, new: &Value) -> bool {
    old == new || (is_nothing(old) && is_nothing(new))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET.contains(&name.as_str()) || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Whether a value that is shown as a whole contains a secret: a secret field of an object, or
/// the password of a URL.
fn has_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| is_secret(name) || has_secret(value))
        },
        Value::Array(items) => items.iter().any(has_secret),
        Value::String(text) => has_password(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn has_password(text: &str) -> bool {
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

fn size(value: &Value) -> usize {
    if value.is_null() { 0 } else { value.to_string().len() }
}

/// The path of a field, as the API names it.
fn field(path: &[&str]) -> String {
    let mut names = path.iter();
    // Names within metadata are the user's, and stay as they are.
    let first = names.next().map(|name| camel_case(name)).unwrap_or_default();
    names.fold(first, |field, name| format!("{field}.{name}"))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let capital = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &capital.into_iter().chain(letters).collect::<String>()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a literal is shorter than a reference to one"
    )]
    fn check(old: Value, new: Value, expected: Value) {
        let of = |value: &Value| Some(value.clone()).filter(|value| !value.is_null());
        let found = changes(of(&old).as_ref(), of(&new).as_ref());
        assert_eq!(serde_json::to_value(found).unwrap(), expected, "{old} → {new}");
    }

    #[test]
    fn only_fields_that_differ_are_listed() {
        check(json!({"a": 1, "b": 2}), json!({"a": 1, "b": 2}), json!([]));
        check(
            json!({"url": "a", "throttle_rate": 1, "b": 2}),
            json!({"url": "b", "throttle_rate": null, "b": 2}),
            json!([{"field": "throttleRate", "old": 1}, {"field": "url", "old": "a", "new": "b"}]),
        );
        check(json!({"a": false, "b": [], "c": null}), json!({"a": null}), json!([]));
        check(json!({"updated_at": 1}), json!({"updated_at": 2}), json!([]));
    }

    #[test]
    fn a_new_record_has_new_values_and_a_removed_one_old_values() {
        check(Value::Null, json!({"a": 1, "b": null}), json!([{"field": "a", "new": 1}]));
        check(json!({"a": 1}), Value::Null, json!([{"field": "a", "old": 1}]));
    }

    #[test]
    fn objects_are_compared_field_by_field() {
        check(
            json!({"metadata": {"user_name": "x", "b": "y"}}),
            json!({"metadata": {"user_name": "z", "b": "y"}}),
            json!([{"field": "metadata.user_name", "old": "x", "new": "z"}]),
        );
        check(
            json!({"a": [1]}),
            json!({"a": [1, 2]}),
            json!([{"field": "a", "old": [1], "new": [1, 2]}]),
        );
    }

    #[test]
    fn secrets_are_withheld() {
        for name in ["secret", "retired_secrets", "token_digest", "headers", "config", "API-Key"] {
            let found = changes(Some(&json!({name: "old"})), Some(&json!({name: "new"})));
            assert_eq!(found[0].withheld, Some(Withheld::Secret), "{name}");
            assert!(found[0].old.is_none() && found[0].new.is_none(), "{name}");
        }
        let withheld = |field| json!([{"field": field, "withheld": "secret"}]);
        check(json!({"a": [{"password": "x"}]}), json!({"a": []}), withheld("a"));
        check(json!({"url": "http://u:p@h/"}), json!({"url": "http://h/"}), withheld("url"));
        check(json!({"m": {"my-token": "x"}}), Value::Null, withheld("m.my-token"));
    }

    #[test]
    fn large_values_are_withheld() {
        let large = "x".repeat(MAX_FIELD_BYTES);
        let expected = json!([{"field": "a", "withheld": "size"}, {"field": "b", "new": 1}]);
        check(Value::Null, json!({"a": large, "b": 1}), expected);
        let many: Map<String, Value> =
            (0..1_000).map(|number| (number.to_string(), "x".repeat(900).into())).collect();
        let found = changes(None, Some(&Value::Object(many)));
        assert_eq!(found.len(), MAX_FIELDS);
        let bytes: usize = found.iter().filter_map(|it| it.new.as_ref()).map(size).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
    }
}
