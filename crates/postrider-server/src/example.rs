//! Examples of payloads, from the JSON schemas of event types.

use serde_json::{Map, Value, json};

/// How deep schemas are followed.
const MAX_DEPTH: usize = 16;

/// Example number `index` of the newest of the schemas, which are an object by version. If
/// the schema has no examples, one is made after it.
pub(crate) fn of(schemas: &str, index: usize) -> Option<String> {
    let schemas: Map<String, Value> = serde_json::from_str(schemas).ok()?;
    let version = |text: &str| (text.parse::<u64>().ok(), text.to_owned());
    let (_, schema) = schemas.iter().max_by_key(|(text, _)| version(text))?;
    let example = match (schema.get("examples"), schema.get("example")) {
        (Some(Value::Array(examples)), _) if !examples.is_empty() => examples.get(index)?.clone(),
        (_, Some(example)) => example.clone(),
        _ => imagine(schema, schema, 0),
    };
    Some(example.to_string())
}

/// Makes up a value of the schema.
fn imagine(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    let told = ["example", "default", "const"].iter().find_map(|key| schema.get(key));
    let listed = ["examples", "enum"].iter().find_map(|key| schema.get(key)?.get(0));
    if let Some(value) = told.or(listed) {
        return value.clone();
    }
    if let Some(other) = elsewhere(schema, root) {
        return imagine(other, root, depth + 1);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    match (kind(schema), properties) {
        (_, Some(properties)) => {
            let fields = properties.iter();
            fields.map(|(name, it)| (name.clone(), imagine(it, root, depth + 1))).collect()
        },
        ("array", None) => {
            let item = schema.get("items").map(|it| imagine(it, root, depth + 1));
            item.into_iter().collect()
        },
        ("string", None) => text(schema),
        ("integer" | "number", None) => schema.get("minimum").cloned().unwrap_or(json!(0)),
        ("boolean", None) => json!(true),
        ("null", None) => Value::Null,
        (_, None) => json!({}),
    }
}

/// The schema that this one points to, or the first that it chooses from.
fn elsewhere<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        return root.pointer(pointer.strip_prefix('#')?);
    }
    ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema.get(key)?.get(0))
}

/// The type, or the first of several.
fn kind(schema: &Value) -> &str {
    let kind = schema.get("type");
    kind.and_then(|it| it.as_str().or_else(|| it.get(0)?.as_str())).unwrap_or_default()
}

fn text(schema: &Value) -> Value {
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => json!("2026-01-31T12:00:00Z"),
        Some("date") => json!("2026-01-31"),
        Some("email") => json!("someone@example.com"),
        Some("uri" | "url") => json!("https://example.com/"),
        Some("uuid") => json!("0198c0de-0000-7000-8000-000000000000"),
        Some(_) | None => json!("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schemas: &Value, index: usize, expected: Option<&str>) {
        assert_eq!(of(&schemas.to_string(), index).as_deref(), expected);
    }

    #[test]
    fn the_newest_version_is_taken() {
        check(&json!({ "9": { "example": 9 }, "10": { "example": 10 } }), 0, Some("10"));
    }

    #[test]
    fn an_example_is_chosen_by_its_number() {
        let schemas = json!({ "1": { "examples": [{ "a": 1 }, { "a": 2 }] } });
        check(&schemas, 1, Some(r#"{"a":2}"#));
        check(&schemas, 2, None);
    }

    #[test]
    fn without_an_example_one_is_made_after_the_schema() {
        let schemas = json!({ "1": { "type": "object", "properties": {
            "id": { "$ref": "#/$defs/id" },
            "paid": { "type": "boolean" },
            "lines": { "type": "array", "items": { "type": "integer" } },
        }, "$defs": { "id": { "type": "string", "enum": ["one", "two"] } } } });
        check(&schemas, 0, Some(r#"{"id":"one","lines":[0],"paid":true}"#));
    }

    #[test]
    fn schemas_that_turn_in_circles_end() {
        check(&json!({ "1": { "$ref": "#" } }), 0, Some("null"));
        check(&json!({}), 0, None);
    }
}
