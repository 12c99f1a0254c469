//! Whether a value is a JSON schema at all, whatever it costs to check payloads against it.
//! References to other documents are not followed.

use std::sync::LazyLock;

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value, json};

/// The metaschemas of the drafts that a schema can name.
const DRAFTS: [(Draft, &str); 5] = [
    (Draft::Draft202012, "https://json-schema.org/draft/2020-12/schema"),
    (Draft::Draft7, "http://json-schema.org/draft-07/schema"),
    (Draft::Draft201909, "https://json-schema.org/draft/2019-09/schema"),
    (Draft::Draft6, "http://json-schema.org/draft-06/schema"),
    (Draft::Draft4, "http://json-schema.org/draft-04/schema"),
];

/// Number of drafts that a schema without `$schema` is checked against: the newest, and the one
/// that most tools write.
const DEFAULTS: usize = 2;

/// The metaschemas, which the library contains. Formats are not looked at: it knows fewer regular
/// expressions than schemas may use.
static METASCHEMAS: LazyLock<[Validator; 5]> = LazyLock::new(|| {
    DRAFTS.map(|(draft, address)| {
        jsonschema::options()
            .offline()
            .with_draft(draft)
            .should_validate_formats(false)
            .build(&json!({ "$ref": address }))
            .expect("the library has the schemas of all drafts")
    })
});

/// Checks that the value is a JSON Schema, or returns its first problem.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    let schema = &without_patterns(schema);
    let draft = schema["$schema"].as_str().map(|it| it.trim_end_matches('#'));
    let tried = match DRAFTS.iter().position(|(_, it)| Some(*it) == draft) {
        Some(named) => named..named + 1,
        None => 0..DEFAULTS,
    };
    let mut first = Ok(());
    for metaschema in &METASCHEMAS[tried] {
        match metaschema.validate(schema) {
            Err(error) => first = first.and_then(|()| Err(innermost_reason(&error))),
            Ok(()) => return Ok(()),
        }
    }
    first
}

/// The schema without its regular expressions, which say nothing about whether it is one: the
/// library reads them to check their format, and takes a time that grows with the square of their
/// length.
fn without_patterns(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| (name.clone(), field(name, value));
            Value::Object(fields.iter().map(field).collect())
        },
        Value::Array(items) => items.iter().map(without_patterns).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

fn field(name: &str, value: &Value) -> Value {
    let inner = |it: &Map<String, Value>, key: fn(usize, &String) -> String| {
        let entry = |(index, (name, it))| (key(index, name), without_patterns(it));
        Value::Object(it.iter().enumerate().map(entry).collect())
    };
    match (name, value) {
        ("pattern", Value::String(_)) => Value::String(String::new()),
        // Values, of which none is a schema.
        ("const" | "default" | "enum" | "example" | "examples", _) => value.clone(),
        ("patternProperties", Value::Object(patterns)) => {
            inner(patterns, |index, _| format!("{index}"))
        },
        // Schemas by name: `pattern` may be one of the names.
        (
            "properties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies",
            Value::Object(schemas),
        ) => inner(schemas, |_, name| name.clone()),
        _ => without_patterns(value),
    }
}

/// The innermost reason, with its location.
#[expect(clippy::wildcard_enum_match_arm, reason = "only some kinds have causes")]
fn innermost_reason(error: &ValidationError<'_>) -> String {
    let causes = match error.kind() {
        ValidationErrorKind::AnyOf { context } => context.first().and_then(|it| it.first()),
        _ => None,
    };
    match causes {
        Some(cause) => innermost_reason(cause),
        None => format!("at {}: {}", error.instance_path(), error.masked()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_that(schema: &Value, is_valid: bool) {
        assert_eq!(check_schema(schema).is_ok(), is_valid, "{schema}");
    }

    #[test]
    fn schemas_of_all_drafts_are_known_and_others_are_not() {
        for valid in [
            json!({}),
            json!({ "type": "object", "properties": { "a": { "type": ["string", "null"] } } }),
            json!({ "readOnly": true, "examples": [1], "x-ours": { "any": 1 } }),
            // As in 2020-12, and as before it.
            json!({ "prefixItems": [{ "type": "string" }], "$defs": { "a": true } }),
            json!({ "items": [{ "type": "string" }], "definitions": { "a": true } }),
            json!({ "$schema": "http://json-schema.org/draft-04/schema#", "maximum": 1, "exclusiveMaximum": true }),
            json!({ "$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveRef": "#" }),
            json!({ "$schema": "https://example.com/ours", "type": "string" }),
            // Nothing is fetched or read.
            json!({ "$ref": "https://203.0.113.1/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$ref": "#/$defs/missing" }),
            // A regular expression that the library cannot run.
            json!({ "$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(?!a)b" }),
            json!({ "$schema": "http://json-schema.org/draft-07/schema#", "items": { "pattern": "(?=a)" } }),
        ] {
            check_that(&valid, true);
        }
        for invalid in [
            json!({ "readOnly": 15 }),
            json!({ "type": "text" }),
            json!({ "type": 7 }),
            json!({ "properties": [] }),
            json!({ "properties": { "a": 1 } }),
            json!({ "required": "a" }),
            json!({ "minLength": -1 }),
            json!({ "anyOf": [] }),
            json!({ "$schema": "http://json-schema.org/draft-07/schema#", "exclusiveMaximum": true }),
            json!({ "$ref": 1 }),
        ] {
            check_that(&invalid, false);
        }
    }

    #[test]
    fn patterns_are_not_looked_at_and_all_else_is() {
        for (schema, is_valid) in [
            (json!({ "pattern": "[" }), true),
            (json!({ "pattern": 1 }), false),
            (json!({ "properties": { "pattern": "a" } }), false),
            (json!({ "properties": { "enum": { "type": 1 } } }), false),
            (json!({ "properties": { "patternProperties": { "type": "x" } } }), false),
            (json!({ "patternProperties": { "[": { "type": "string" } } }), true),
            (json!({ "patternProperties": { "a": { "type": "x" }, "b": true } }), false),
            (json!({ "enum": [{ "pattern": "a" }, { "pattern": "b" }] }), true),
            (json!({ "allOf": [{ "not": { "pattern": 1 } }] }), false),
        ] {
            check_that(&schema, is_valid);
        }
    }

    #[test]
    fn a_deep_schema_does_not_exhaust_the_stack() {
        let check_schema_deep = || {
            let deep = (0..60).fold(json!({}), |it, _| json!({ "properties": { "a": it } }));
            assert_eq!(check_schema(&deep), Ok(()));
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(check_schema_deep);
        thread.expect("a thread starts").join().expect("the check does not panic");
    }

    #[test]
    fn the_message_has_the_location() {
        let nested = json!({ "properties": { "a": { "minLength": "x" } } });
        let message = check_schema(&nested).unwrap_err();
        assert!(message.contains("/properties/a/minLength"), "{message}");
    }
}
