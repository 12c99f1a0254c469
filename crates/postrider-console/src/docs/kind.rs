//! What a schema allows, in a few words.

use serde_json::Value;

use super::document::{Document, items, text};

/// A schema without `null`, and whether `null` is allowed.
pub(super) fn without_null(schema: &Value) -> (&Value, bool) {
    let choices = items(&schema["anyOf"]);
    let mut others = choices.iter().filter(|it| text(&it["type"]) != "null");
    match (choices.len(), others.next(), others.next()) {
        (2, Some(only), None) => (only, true),
        _ => (schema, items(&schema["type"]).iter().any(|it| text(it) == "null")),
    }
}

/// The JSON type, apart from `null`.
pub(super) fn json_type(schema: &Value) -> &str {
    let types = items(&schema["type"]).iter().map(text).find(|it| *it != "null");
    types.unwrap_or_else(|| text(&schema["type"]))
}

/// The type, such as `list of strings`.
pub(super) fn name(document: &Document, schema: &Value) -> String {
    let (schema, _) = without_null(document.resolve(schema).0);
    let schema = document.resolve(schema).0;
    match json_type(schema) {
        "array" if schema["items"].is_object() => {
            format!("list of {}", plural(&name(document, &schema["items"])))
        },
        "array" => "list".to_owned(),
        "object"
            if schema["additionalProperties"]["type"].is_string()
                || schema["additionalProperties"]["$ref"].is_string() =>
        {
            format!("map of {}", plural(&name(document, &schema["additionalProperties"])))
        },
        "object" => "object".to_owned(),
        "string" => match text(&schema["format"]) {
            "date-time" => "time".to_owned(),
            "uri" => "URL".to_owned(),
            "ip" => "IP address".to_owned(),
            _ => "string".to_owned(),
        },
        "" => choice(document, schema),
        other => other.to_owned(),
    }
}

fn choice(document: &Document, schema: &Value) -> String {
    let choices = [items(&schema["oneOf"]), items(&schema["anyOf"])].concat();
    let mut names: Vec<_> = choices.iter().map(|it| name(document, it)).collect();
    names.dedup();
    if names.is_empty() { "any value".to_owned() } else { names.join(" or ") }
}

fn plural(name: &str) -> String {
    match name.split_once(' ') {
        Some((first @ ("list" | "map"), rest)) => format!("{first}s {rest}"),
        Some(("IP", _)) => "IP addresses".to_owned(),
        _ => format!("{name}s"),
    }
}

/// Further rules, such as `1 to 256 characters`.
pub(super) fn rules(schema: &Value) -> Vec<String> {
    let (schema, is_nullable) = without_null(schema);
    let mut rules = Vec::new();
    rules.extend(range(&schema["minLength"], &schema["maxLength"], " characters"));
    rules.extend(range(&schema["minItems"], &schema["maxItems"], " entries"));
    rules.extend(range(&schema["minimum"], largest(schema), ""));
    if schema["uniqueItems"] == true {
        rules.push("no duplicates".to_owned());
    }
    if is_nullable {
        rules.push("or null".to_owned());
    }
    rules
}

/// The maximum, unless it is only that of the integer's size.
fn largest(schema: &Value) -> &Value {
    let is_of_type = [255, 65_535, 32_767, 2_147_483_647, 4_294_967_295_u64]
        .iter()
        .any(|it| schema["maximum"] == *it && schema["format"].is_string());
    if is_of_type { &Value::Null } else { &schema["maximum"] }
}

fn range(least: &Value, most: &Value, unit: &str) -> Option<String> {
    let least = Some(least).filter(|it| !it.is_null() && **it != 0);
    match (least, most) {
        (None, Value::Null) => None,
        (Some(least), Value::Null) => Some(format!("at least {least}{unit}")),
        (None, most) => Some(format!("at most {most}{unit}")),
        (Some(least), most) if least == most => Some(format!("{least}{unit}")),
        (Some(least), most) => Some(format!("{least} to {most}{unit}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_and_rules_are_words() {
        let document = Document::new(
            r#"{"components": {"schemas": {
                "Kind": {"oneOf": [{"const": "a", "type": "string"}, {"const": "b", "type": "string"}]},
                "Out": {"type": "object", "properties": {}}
            }}}"#,
        );
        let cases = [
            (
                json!({"type": "string", "minLength": 1, "maxLength": 256}),
                "string",
                "1 to 256 characters",
            ),
            (json!({"type": ["string", "null"], "format": "date-time"}), "time", "or null"),
            (
                json!({"type": "integer", "format": "uint16", "minimum": 0, "maximum": 65535}),
                "integer",
                "",
            ),
            (
                json!({"type": "integer", "format": "int64", "minimum": 5, "maximum": 90}),
                "integer",
                "5 to 90",
            ),
            (
                json!({"type": "array", "items": {"$ref": "#/components/schemas/Out"}, "maxItems": 5}),
                "list of objects",
                "at most 5 entries",
            ),
            (
                json!({"anyOf": [{"$ref": "#/components/schemas/Kind"}, {"type": "null"}]}),
                "string",
                "or null",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "map of strings",
                "",
            ),
            (
                json!({"type": "array", "items": {"type": "array", "prefixItems": []}}),
                "list of lists",
                "",
            ),
            (json!({"description": "Anything."}), "any value", ""),
        ];
        for (schema, kind, expected) in cases {
            assert_eq!(
                (name(&document, &schema).as_str(), rules(&schema).join(", ").as_str()),
                (kind, expected),
                "{schema}"
            );
        }
    }
}
