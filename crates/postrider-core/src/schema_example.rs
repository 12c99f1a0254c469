//! Example payloads, generated from the JSON schemas of event types.

use serde_json::{Map, Value, json};

/// Maximum depth to which schemas are followed.
const MAX_DEPTH: usize = 16;

/// Approximate maximum size of a generated example in bytes. Schemas can refer to themselves, and
/// an example would then grow without limit.
const MAX_GENERATED: usize = 64 << 10;

/// Example number `index` of the newest of the schemas, which are an object by version. If the
/// schema has no examples, one is generated, unless it would be too large.
pub fn of(schemas: &str, index: usize) -> Option<String> {
    let schemas: Map<String, Value> = serde_json::from_str(schemas).ok()?;
    let version = |text: &str| (text.parse::<u64>().ok(), text.to_owned());
    let (_, schema) = schemas.iter().max_by_key(|(text, _)| version(text))?;
    let example = match (schema.get("examples"), schema.get("example")) {
        (Some(Value::Array(examples)), _) if !examples.is_empty() => examples.get(index)?.clone(),
        (_, Some(example)) => example.clone(),
        _ => Generator { root: schema, left: MAX_GENERATED }.value(schema, 0)?,
    };
    Some(example.to_string())
}

/// A generator of example values.
struct Generator<'a> {
    root: &'a Value,
    /// Remaining bytes of the limit.
    left: usize,
}

impl Generator<'_> {
    /// Generates a value of the schema, within the limit.
    fn value(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        self.take(1)?;
        if depth > MAX_DEPTH {
            return Some(Value::Null);
        }
        let stated = ["example", "default", "const"].iter().find_map(|key| schema.get(key));
        let listed = ["examples", "enum"].iter().find_map(|key| schema.get(key)?.get(0));
        if let Some(value) = stated.or(listed) {
            self.take(weight(value))?;
            return Some(value.clone());
        }
        self.take(pointer(schema).map_or(0, str::len))?;
        if let Some(other) = resolve(schema, self.root) {
            return self.value(other, depth + 1);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        match (type_of(schema), properties) {
            (_, Some(properties)) => self.object(properties, depth),
            ("array", None) => {
                let mut items = Vec::new();
                if let Some(item) = schema.get("items") {
                    items.push(self.value(item, depth + 1)?);
                }
                Some(items.into())
            },
            ("string", None) => Some(text(schema)),
            ("integer" | "number", None) => {
                Some(schema.get("minimum").cloned().unwrap_or(json!(0)))
            },
            ("boolean", None) => Some(json!(true)),
            ("null", None) => Some(Value::Null),
            (_, None) => Some(json!({})),
        }
    }

    fn object(&mut self, properties: &Map<String, Value>, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        for (name, schema) in properties {
            self.take(name.len())?;
            fields.insert(name.clone(), self.value(schema, depth + 1)?);
        }
        Some(fields.into())
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.checked_sub(bytes)?;
        Some(())
    }
}

/// The approximate size of a value's JSON in bytes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(weight).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(name, it)| name.len() + 3 + weight(it)).sum::<usize>()
        },
    }
}

/// The schema that this one refers to, or its first alternative.
fn resolve<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    if let Some(pointer) = pointer(schema) {
        return root.pointer(pointer.strip_prefix('#')?);
    }
    ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema.get(key)?.get(0))
}

fn pointer(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// The type, or the first of several.
fn type_of(schema: &Value) -> &str {
    let declared = schema.get("type");
    declared.and_then(|it| it.as_str().or_else(|| it.get(0)?.as_str())).unwrap_or_default()
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
    fn recursive_schemas_end() {
        check(&json!({ "1": { "$ref": "#" } }), 0, Some("null"));
        let many: Map<_, _> =
            (0..1_000).map(|it| (format!("f{it}"), json!({ "$ref": "#" }))).collect();
        check(&json!({ "1": { "properties": many } }), 0, None);
        let large = json!({ "default": "x".repeat(60_000) });
        let twice = json!({ "a": { "$ref": "#/$defs/d" }, "b": { "$ref": "#/$defs/d" } });
        check(&json!({ "1": { "properties": twice, "$defs": { "d": large } } }), 0, None);
        check(&json!({}), 0, None);
    }
}
