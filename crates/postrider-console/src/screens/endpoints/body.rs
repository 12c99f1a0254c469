//! What a form says about an endpoint, as the body of a request.

use postrider::api::{EndpointKind, EndpointOrdering, EndpointOut};
use serde_json::{Map, Value, json};

use super::{config, kinds, signing};
use crate::form::Form;

/// The body that creates an endpoint.
pub(super) fn create(kind: EndpointKind, form: &Form) -> Value {
    let mut body = common(kind, form, &Map::new());
    // What is absent has its default.
    body.retain(|_, value| !value.is_null());
    body.insert("kind".to_owned(), kind.name().into());
    if kind.is_http() {
        insert(&mut body, "secret", form.text("secret").map(Value::from));
        insert(&mut body, "signing", signing::changed(None, form));
        let headers = form.text("headers").map(config::pairs);
        insert(&mut body, "headers", headers);
    }
    Value::Object(body)
}

/// The body that changes an endpoint.
pub(super) fn change(endpoint: &EndpointOut, form: &Form) -> Value {
    let old = endpoint.config.clone().unwrap_or_default();
    let mut body = common(endpoint.kind, form, &old.0);
    insert(&mut body, "signing", signing::changed(endpoint.signing.as_ref(), form));
    Value::Object(body)
}

/// The fields that both have; `null` removes a value.
fn common(kind: EndpointKind, form: &Form, old: &Map<String, Value>) -> Map<String, Value> {
    let mut body = Map::new();
    let text = |name: &str| form.text(name).map_or(Value::Null, Value::from);
    if kind.is_http() {
        body.insert("url".to_owned(), form.text("url").unwrap_or_default().into());
        body.insert("trustedCertificates".to_owned(), text("trustedCertificates"));
    } else {
        let config = config::of_form(kinds::form(kind).fields, form, old);
        body.insert("config".to_owned(), config.into());
    }
    body.insert("description".to_owned(), form.text("description").unwrap_or_default().into());
    body.insert("uid".to_owned(), text("uid"));
    body.insert("eventTypes".to_owned(), event_types(form));
    let channels = form.words("channels");
    body.insert(
        "channels".to_owned(),
        if channels.is_empty() { Value::Null } else { channels.into() },
    );
    body.insert("filter".to_owned(), text("filter"));
    body.insert("throttleRate".to_owned(), number(form, "throttleRate"));
    body.insert("strictRate".to_owned(), form.has("strictRate").into());
    let is_fifo = form.has("fifo");
    let ordering = if is_fifo { EndpointOrdering::Fifo } else { EndpointOrdering::Any };
    body.insert("ordering".to_owned(), json!(ordering));
    let skip_after = if is_fifo { number(form, "skipAfter") } else { Value::Null };
    body.insert("skipAfter".to_owned(), skip_after);
    if kind.is_http() {
        body.insert("batch".to_owned(), batch(form));
        let forwards_trace = form.has("forwardTraceContext");
        body.insert("forwardTraceContext".to_owned(), forwards_trace.into());
    }
    body.insert("metadata".to_owned(), config::pairs(form.text("metadata").unwrap_or_default()));
    body
}

fn event_types(form: &Form) -> Value {
    if form.text("types") == Some("selected") {
        return form.all("eventTypes").map(Value::from).collect();
    }
    Value::Null
}

/// A number; a text that is none is left for the API to refuse.
fn number(form: &Form, name: &str) -> Value {
    form.text(name)
        .map_or(Value::Null, |text| text.parse::<u64>().map_or_else(|_| text.into(), Value::from))
}

/// The batch; none without a size.
fn batch(form: &Form) -> Value {
    let (size, wait) = (number(form, "batch.size"), number(form, "batch.maxWaitSeconds"));
    if size.is_null() {
        return Value::Null;
    }
    json!({ "size": size, "maxWaitSeconds": if wait.is_null() { 0.into() } else { wait } })
}

fn insert(body: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value);
    }
}

/// The fields of a form that shows an endpoint.
pub(super) fn filled(endpoint: &EndpointOut) -> Vec<(String, String)> {
    let mut fields = vec![
        ("url".to_owned(), endpoint.url.clone()),
        ("description".to_owned(), endpoint.description.clone()),
        ("uid".to_owned(), endpoint.uid.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("channels".to_owned(), endpoint.channels.clone().unwrap_or_default().join(", ")),
        ("filter".to_owned(), endpoint.filter.clone().unwrap_or_default()),
        (
            "throttleRate".to_owned(),
            endpoint.throttle_rate.0.map(|it| it.to_string()).unwrap_or_default(),
        ),
        (
            "trustedCertificates".to_owned(),
            endpoint.trusted_certificates.clone().unwrap_or_default(),
        ),
        ("metadata".to_owned(), metadata(endpoint)),
    ];
    let flag = |name: &str, is_set: bool| is_set.then(|| (name.to_owned(), "on".to_owned()));
    fields.extend(flag("strictRate", endpoint.strict_rate));
    fields.extend(flag("forwardTraceContext", endpoint.forward_trace_context));
    fields.extend(flag("fifo", endpoint.ordering == EndpointOrdering::Fifo));
    if let Some(batch) = endpoint.batch {
        fields.push(("batch.size".to_owned(), batch.size.to_string()));
        fields.push(("batch.maxWaitSeconds".to_owned(), batch.max_wait_seconds.to_string()));
    }
    fields.extend(signing::filled(endpoint.signing.as_ref()));
    fields.extend(endpoint.skip_after.map(|it| ("skipAfter".to_owned(), it.to_string())));
    let types = endpoint.event_types.0.as_ref();
    let choice = if types.is_some() { "selected" } else { "all" };
    fields.push(("types".to_owned(), choice.to_owned()));
    let selected = types.into_iter().flatten();
    fields.extend(selected.map(|it| ("eventTypes".to_owned(), it.to_string())));
    fields.extend(configured(endpoint));
    fields
}

fn metadata(endpoint: &EndpointOut) -> String {
    let lines = endpoint.metadata.iter().map(|(name, value)| format!("{name}: {value}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn configured(endpoint: &EndpointOut) -> Vec<(String, String)> {
    let config = endpoint.config.clone().unwrap_or_default().0;
    let fields = kinds::form(endpoint.kind).fields.iter();
    let value = |field: &kinds::ConfigField| {
        let stored = config.get(field.name).unwrap_or(&Value::Null);
        let name = config::field_name(field);
        if let kinds::Input::Flag(default) = field.input {
            return stored.as_bool().unwrap_or(default).then(|| (name, "on".to_owned()));
        }
        Some((name, config::text(field.input, stored)))
    };
    fields.filter_map(value).collect()
}

/// The fields of a form for a new endpoint.
pub(super) fn empty(kind: EndpointKind) -> Vec<(String, String)> {
    let flags = kinds::form(kind).fields.iter();
    let checked = flags.filter(|it| it.input == kinds::Input::Flag(true));
    let checked = checked.map(|it| (config::field_name(it), "on".to_owned()));
    checked.chain([("types".to_owned(), "all".to_owned())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::filled(fields.iter().map(|(name, value)| (*name, (*value).to_owned())))
    }

    #[test]
    fn a_form_becomes_the_body_of_a_request() {
        let http = form(&[
            ("url", "https://example.com/"),
            ("types", "selected"),
            ("eventTypes", "order.paid"),
            ("eventTypes", "order.sent"),
            ("channels", "eu, us"),
            ("throttleRate", "10"),
            ("fifo", "on"),
            ("batch.size", "20"),
            ("metadata", "plan: free"),
            ("headers", "X-Shop: a:b"),
        ]);
        let expected = json!({
            "kind": "http", "url": "https://example.com/", "description": "",
            "eventTypes": ["order.paid", "order.sent"], "channels": ["eu", "us"], "throttleRate": 10,
            "strictRate": false, "ordering": "fifo", "metadata": {"plan": "free"},
            "headers": {"X-Shop": "a:b"}, "batch": {"size": 20, "maxWaitSeconds": 0},
            "forwardTraceContext": false,
        });
        assert_eq!(create(EndpointKind::Http, &http), expected);
        let redis = form(&[
            ("config.url", "redis://h"),
            ("config.stream", "s"),
            ("types", "all"),
            ("eventTypes", "order.paid"),
            ("throttleRate", "fast"),
            ("secret", "whsec_"),
        ]);
        let expected = json!({
            "kind": "redis", "config": {"url": "redis://h", "stream": "s"}, "description": "",
            "throttleRate": "fast", "strictRate": false, "ordering": "any", "metadata": {},
        });
        assert_eq!(create(EndpointKind::Redis, &redis), expected);
    }

    #[test]
    fn a_form_that_was_not_changed_changes_nothing() {
        let endpoint: EndpointOut = serde_json::from_value(json!({
            "id": "ep_01m8ev51d0e009haqpq8v4h9w2", "url": "https://example.com/", "uid": "a",
            "description": "b", "disabled": false, "eventTypes": ["order.paid"], "channels": ["eu"],
            "filter": "payload.n > 1", "throttleRate": 5, "ordering": "fifo", "strictRate": true, "metadata": {"a": "b: c"},
            "batch": {"size": 7, "maxWaitSeconds": 9}, "skipAfter": 0, "forwardTraceContext": true,
            "version": 1, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let fields = filled(&endpoint);
        let form = Form::filled(fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let expected = json!({
            "url": "https://example.com/", "uid": "a", "description": "b",
            "eventTypes": ["order.paid"], "channels": ["eu"], "throttleRate": 5,
            "ordering": "fifo", "strictRate": true, "metadata": {"a": "b: c"},
            "trustedCertificates": null, "filter": "payload.n > 1",
            "batch": {"size": 7, "maxWaitSeconds": 9}, "skipAfter": 0, "forwardTraceContext": true,
        });
        assert_eq!(change(&endpoint, &form), expected);
    }
}
