//! The configuration of a kind: from JSON to the fields of a form and back.

use postrider_core::kind::MASK;
use serde_json::{Map, Value};

use super::kinds::{ConfigField, Input};
use crate::form::Form;

/// The name of a field in the form, which is its path in the body of the request as well.
pub(super) fn field_name(field: &ConfigField) -> String {
    format!("config.{}", field.name)
}

/// The name of the checkbox that removes a stored credential.
pub(super) fn removal_name(field: &ConfigField) -> String {
    format!("remove.{}", field.name)
}

/// The text of a field that shows a stored value.
pub(super) fn text(input: Input, value: &Value) -> String {
    match (input, value) {
        (_, Value::Null) | (Input::Secret | Input::SecretText, _) => String::new(),
        (Input::Json, _) => serde_json::to_string_pretty(value).unwrap_or_default(),
        (Input::Pairs, Value::Object(fields)) => {
            let line = |(name, value): (&String, &Value)| format!("{name}: {}", plain(value));
            fields.iter().map(line).collect::<Vec<_>>().join("\n")
        },
        (_, Value::Array(items)) => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        (_, Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            plain(value)
        },
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The configuration that the form describes. Fields that it does not show stay as in `old`, and
/// stored credentials that were not entered again stay masked, which keeps them.
pub(super) fn of_form(
    fields: &[ConfigField],
    form: &Form,
    old: &Map<String, Value>,
) -> Map<String, Value> {
    let mut config = old.clone();
    for field in fields {
        match value(field, form, old.get(field.name)) {
            Some(value) => config.insert(field.name.to_owned(), value),
            None => config.remove(field.name),
        };
    }
    config
}

fn value(field: &ConfigField, form: &Form, old: Option<&Value>) -> Option<Value> {
    let name = field_name(field);
    if let Input::Flag(default) = field.input {
        let is_checked = form.has(&name);
        return (is_checked != default).then_some(Value::Bool(is_checked));
    }
    let Some(text) = form.text(&name) else { return kept(field, form, old) };
    Some(match field.input {
        Input::Number | Input::NumberOrText => number(text),
        Input::Lines => lines(text),
        Input::Pairs => pairs(text),
        Input::Json => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        Input::Long => form.raw(&name).unwrap_or(text).replace("\r\n", "\n").into(),
        Input::Text | Input::Secret | Input::SecretText | Input::Choice(_) | Input::Flag(_) => {
            text.into()
        },
    })
}

/// The mask of a stored credential, unless it is to be removed.
fn kept(field: &ConfigField, form: &Form, old: Option<&Value>) -> Option<Value> {
    let is_secret = matches!(field.input, Input::Secret | Input::SecretText);
    let is_kept = is_secret && old.is_some() && !form.has(&removal_name(field));
    is_kept.then(|| MASK.into())
}

/// A number; another text is left for the API to refuse.
fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

fn lines(text: &str) -> Value {
    text.lines().map(str::trim).filter(|it| !it.is_empty()).map(Value::from).collect()
}

/// An object of lines such as `name: value`.
pub(super) fn pairs(text: &str) -> Value {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = name.trim();
        (!name.is_empty()).then(|| (name.to_owned(), Value::from(value.trim())))
    };
    text.lines().filter_map(pair).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use postrider::api::EndpointKind;
    use serde_json::json;

    use super::*;
    use crate::screens::endpoints::kinds;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(fields) = value else { unreachable!() };
        fields
    }

    fn sent(fields: &[(&str, &str)]) -> Form {
        Form::filled(fields.iter().map(|(name, value)| (*name, (*value).to_owned())))
    }

    /// What a form without changes makes of a configuration.
    fn round_trip(kind: EndpointKind, config: &Map<String, Value>) -> Map<String, Value> {
        let fields = kinds::form(kind).fields;
        let mut entered = Vec::new();
        for field in fields {
            let stored = config.get(field.name).unwrap_or(&Value::Null);
            if let Input::Flag(default) = field.input {
                if stored.as_bool().unwrap_or(default) {
                    entered.push((field_name(field), "on".to_owned()));
                }
            } else {
                entered.push((field_name(field), text(field.input, stored)));
            }
        }
        let form = Form::filled(entered.iter().map(|(name, value)| (name.as_str(), value.clone())));
        of_form(fields, &form, config)
    }

    #[test]
    fn a_form_that_was_not_changed_keeps_the_configuration() {
        let cases = [
            (
                EndpointKind::Kafka,
                json!({"brokers": ["a:9092", "b:9092"], "topic": "t", "tls": true, "password": "***", "headers": {"a": "{{ id }}: x"}}),
            ),
            (EndpointKind::Telegram, json!({"token": "***", "chatId": -100})),
            (EndpointKind::Telegram, json!({"token": "***", "chatId": "@news"})),
            (
                EndpointKind::Rabbitmq,
                json!({"uri": "amqp://u:***@h/", "routingKey": "x", "persistent": false}),
            ),
            (
                EndpointKind::Postgres,
                json!({"url": "postgres://u:***@h/d", "columns": [{"name": "a", "path": "id"}], "key": ["a"]}),
            ),
            (
                EndpointKind::Email,
                json!({"host": "h", "port": 25, "to": ["a@b.c"], "text": "Hello,\n\nbye"}),
            ),
        ];
        for (kind, config) in cases {
            let config = object(config);
            assert_eq!(round_trip(kind, &config), config, "{kind}");
        }
    }

    #[test]
    fn what_is_entered_becomes_json() {
        let fields = kinds::form(EndpointKind::Redis).fields;
        let form = sent(&[
            ("config.url", " redis://h "),
            ("config.maxLength", "many"),
            ("config.fields", "id: {{ id }}\n\n total : {{ payload.total }}\n"),
        ]);
        let config = of_form(fields, &form, &Map::new());
        let expected = json!({"url": "redis://h", "maxLength": "many", "fields": {"id": "{{ id }}", "total": "{{ payload.total }}"}});
        assert_eq!(Value::Object(config), expected);
    }

    #[test]
    fn credentials_stay_until_they_are_replaced_or_removed() {
        let fields = kinds::form(EndpointKind::Mqtt).fields;
        let old = object(json!({"password": "***"}));
        let cases = [
            ([("config.password", ""), ("x", "")], Some("***")),
            ([("config.password", "new"), ("x", "")], Some("new")),
            ([("config.password", ""), ("remove.password", "on")], None),
        ];
        for (entered, expected) in cases {
            let config = of_form(fields, &sent(&entered), &old);
            assert_eq!(config.get("password").and_then(Value::as_str), expected);
        }
    }
}
