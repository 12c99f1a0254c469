//! Schemas of version 3.0, which differ from JSON Schema: `nullable`, and exclusive limits that are
//! true or false.

use serde_json::{Map, Value, json};

/// Makes a JSON schema of the schema.
pub(super) fn modernize(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    for (keyword, value) in fields.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                schemas.values_mut().for_each(modernize);
            },
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(modernize);
            },
            ("items" | "not" | "additionalProperties", value) => modernize(value),
            _ => {},
        }
    }
    exclude(fields, "minimum", "exclusiveMinimum");
    exclude(fields, "maximum", "exclusiveMaximum");
    if fields.remove("nullable") == Some(Value::Bool(true)) {
        allow_null(schema);
    }
}

/// Makes a limit exclusive if `keyword` says so.
fn exclude(fields: &mut Map<String, Value>, limit: &str, keyword: &str) {
    if !fields.get(keyword).is_some_and(Value::is_boolean) {
        return;
    }
    if fields.remove(keyword) == Some(Value::Bool(true))
        && let Some(limit) = fields.remove(limit)
    {
        fields.insert(keyword.to_owned(), limit);
    }
}

fn allow_null(schema: &mut Value) {
    let is_plain = schema["type"].is_string() && schema.get("$ref").is_none();
    if !is_plain {
        *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] });
        return;
    }
    schema["type"] = json!([schema["type"].take(), "null"]);
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "literals are shorter")]
    fn check(mut schema: Value, expected: Value) {
        modernize(&mut schema);
        assert_eq!(schema, expected);
    }

    #[test]
    fn nullable_allows_null() {
        check(json!({ "type": "string" }), json!({ "type": "string" }));
        check(
            json!({ "type": "string", "nullable": false, "maxLength": 3 }),
            json!({ "type": "string", "maxLength": 3 }),
        );
        check(
            json!({ "type": "string", "nullable": true, "enum": ["a"] }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        );
        check(
            json!({ "$ref": "#/$defs/a", "nullable": true }),
            json!({ "anyOf": [{ "$ref": "#/$defs/a" }, { "type": "null" }] }),
        );
        // A property may have the name.
        let named = json!({ "properties": { "nullable": { "type": "boolean" } } });
        check(named.clone(), named);
        check(
            json!({ "items": { "allOf": [{ "type": "number", "nullable": true }] } }),
            json!({ "items": { "allOf": [{ "type": ["number", "null"] }] } }),
        );
    }

    #[test]
    fn exclusive_limits_become_numbers() {
        check(
            json!({ "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false }),
            json!({ "exclusiveMinimum": 0, "maximum": 9 }),
        );
        check(json!({ "exclusiveMaximum": 3 }), json!({ "exclusiveMaximum": 3 }));
    }
}
