//! The bodies of requests that create and change sources.

use postrider::provider::Provider;
use serde_json::{Map, Value, json};

use crate::form::Form;

/// The type of sources that accept every request.
pub(super) const GENERIC: &str = "generic-webhook";

/// The name of the field of a parameter.
pub(super) fn parameter_field(name: &str) -> String {
    format!("parameter_{name}")
}

/// The body that creates a source of a type.
pub(super) fn creation(form: &Form, kind: &str, provider: Option<&Provider>) -> Value {
    let mut body = shared(form, provider);
    if kind == GENERIC {
        // It says by itself that requests are not verified.
        body.remove("verification");
    }
    body.insert("type".to_owned(), json!(kind));
    set(&mut body, "name", form.text("name").unwrap_or_default());
    set_if(&mut body, "uid", form.text("uid"));
    set_if(&mut body, "appId", form.text("app_id"));
    if let Some(secret) = form.text("secret") {
        body.insert("secrets".to_owned(), json!([{ "key": secret }]));
    }
    Value::Object(body)
}

/// The body that changes a source. Empty optional fields are removed.
pub(super) fn change(form: &Form, kind: &str, provider: Option<&Provider>) -> Value {
    let is_generic = kind == GENERIC;
    let mut body = shared(form, provider);
    if is_generic {
        body.remove("verification");
    }
    set(&mut body, "name", form.text("name").unwrap_or_default());
    body.insert("uid".to_owned(), json!(form.text("uid")));
    for (field, name) in OPTIONAL {
        body.entry(name).or_insert_with(|| match form.raw(field) {
            Some(_) => Value::Null,
            None => Value::Bool(false),
        });
    }
    // Fields that the form did not contain stay as they are.
    body.retain(|name, value| !(OPTIONAL.iter().any(|it| it.1 == name) && *value == json!(false)));
    Value::Object(body)
}

/// Optional fields: the name in the form, and in the API.
const OPTIONAL: [(&str, &str); 4] = [
    ("public_url", "publicUrl"),
    ("tolerance", "toleranceSeconds"),
    ("max_body", "maxBody"),
    ("response_status", "response"),
];

/// The fields that both have.
fn shared(form: &Form, provider: Option<&Provider>) -> Map<String, Value> {
    let mut body = Map::new();
    let verification = if form.has("open") { "none" } else { "required" };
    set(&mut body, "verification", verification);
    set_if(&mut body, "publicUrl", form.text("public_url"));
    set_number(&mut body, "dedupeWindowSeconds", form.text("dedupe_window"));
    set_number(&mut body, "toleranceSeconds", form.text("tolerance"));
    set_number(&mut body, "maxBody", form.text("max_body"));
    body.insert("dedupeByBody".to_owned(), json!(form.has("dedupe_by_body")));
    if let Some(model) = form.text("model") {
        // A text that is not JSON is refused by the API, which says so.
        let value = serde_json::from_str(model).unwrap_or_else(|_| json!(model));
        body.insert("model".to_owned(), value);
    }
    if let Some(status) = form.text("response_status") {
        let text = form.raw("response_body").unwrap_or_default();
        body.insert("response".to_owned(), json!({ "status": number(status), "body": text }));
    }
    let parameters = parameters(form, provider);
    if !parameters.is_empty() {
        body.insert("parameters".to_owned(), Value::Object(parameters));
    }
    body
}

fn parameters(form: &Form, provider: Option<&Provider>) -> Map<String, Value> {
    let names = provider.into_iter().flat_map(|it| &it.parameters).map(|it| &it.name);
    let given = names.filter_map(|name| {
        let value = form.text(&parameter_field(name))?;
        Some((name.clone(), json!(value)))
    });
    given.collect()
}

fn set(body: &mut Map<String, Value>, name: &str, value: &str) {
    body.insert(name.to_owned(), json!(value));
}

fn set_if(body: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        set(body, name, value);
    }
}

fn set_number(body: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), number(value));
    }
}

/// A number; what is none is sent as it is, so that the API explains it.
fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| json!(text), Value::from)
}

#[cfg(test)]
mod tests {
    use postrider::provider;

    use super::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes())
    }

    #[test]
    fn a_form_becomes_the_body_of_the_operation() {
        let rows = [
            (
                "name=Stripe&uid=&secret=whsec_1&dedupe_window=60",
                json!({
                    "type": "stripe", "name": "Stripe", "verification": "required",
                    "secrets": [{ "key": "whsec_1" }], "dedupeWindowSeconds": 60,
                    "dedupeByBody": false,
                }),
            ),
            (
                "name=A&uid=a&app_id=app_1&open=on&tolerance=x&response_status=202&response_body=ok",
                json!({
                    "type": "stripe", "name": "A", "uid": "a", "appId": "app_1",
                    "verification": "none", "toleranceSeconds": "x", "dedupeByBody": false,
                    "response": { "status": 202, "body": "ok" },
                }),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(
                creation(&form(text), "stripe", provider::find("stripe")),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_emptied_field_is_removed_and_an_absent_one_stays() {
        let body = change(&form("name=A&uid=&public_url=&max_body=10"), "stripe", None);
        let expected = json!({
            "name": "A", "uid": null, "verification": "required", "dedupeByBody": false,
            "publicUrl": null, "maxBody": 10,
        });
        assert_eq!(body, expected);
    }
}
