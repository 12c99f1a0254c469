//! Validation of JSON Schemas. References to other documents are not followed.

use std::{error::Error, sync::LazyLock};

use boon::{Compiler, Draft, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde_json::{Map, Value};

/// The drafts that a schema can name, with the URLs of their metaschemas.
const DRAFTS: [(Draft, &str); 5] = [
    (Draft::V2020_12, "https://json-schema.org/draft/2020-12/schema"),
    (Draft::V7, "http://json-schema.org/draft-07/schema"),
    (Draft::V2019_09, "https://json-schema.org/draft/2019-09/schema"),
    (Draft::V6, "http://json-schema.org/draft-06/schema"),
    (Draft::V4, "http://json-schema.org/draft-04/schema"),
];

/// Number of drafts that a schema without `$schema` is checked against: the newest, and the one
/// that most tools write.
const DEFAULTS: usize = 2;

/// The metaschemas of the drafts, which the library contains.
static META: LazyLock<(Schemas, [SchemaIndex; 5])> = LazyLock::new(|| {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.use_loader(Box::new(Nowhere));
    let described = DRAFTS.map(|(_, address)| {
        compiler.compile(address, &mut schemas).expect("the library has the schemas of all drafts")
    });
    (schemas, described)
});

/// A loader that never loads anything.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        Err(format!("{url} is not loaded").into())
    }
}

/// Checks that the value is a JSON Schema, or returns its first problem.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let schema = &without_patterns(schema);
    let draft = schema["$schema"].as_str().and_then(Draft::from_url);
    let tried = match DRAFTS.iter().position(|(it, _)| Some(*it) == draft) {
        Some(named) => named..named + 1,
        None => 0..DEFAULTS,
    };
    let (schemas, described) = &*META;
    let mut first = Ok(());
    for index in &described[tried] {
        match schemas.validate(schema, *index) {
            Err(error) if !is_of_format(&error) => {
                first = first.and_then(|()| Err(innermost_reason(&error)));
            },
            Ok(()) | Err(_) => return Ok(()),
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

/// Whether the value would be right if formats were not looked at. The library knows fewer
/// regular expressions than schemas may use.
#[expect(clippy::wildcard_enum_match_arm, reason = "only some kinds have causes")]
fn is_of_format(error: &ValidationError<'_, '_>) -> bool {
    match &error.kind {
        ErrorKind::Format { .. } => true,
        ErrorKind::AnyOf | ErrorKind::OneOf(None) => error.causes.iter().any(is_of_format),
        _ => !error.causes.is_empty() && error.causes.iter().all(is_of_format),
    }
}

/// The innermost reason, with its location.
fn innermost_reason(error: &ValidationError<'_, '_>) -> String {
    match error.causes.iter().find(|it| !is_of_format(it)) {
        Some(cause) => innermost_reason(cause),
        None => format!("at {}/: {}", error.instance_location, error.kind),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_that(schema: &Value, is_valid: bool) {
        assert_eq!(check(schema).is_ok(), is_valid, "{schema}");
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
    fn the_message_has_the_location() {
        let nested = json!({ "properties": { "a": { "minLength": "x" } } });
        let message = check(&nested).unwrap_err();
        assert!(message.contains("/properties/a/minLength"), "{message}");
    }
}
