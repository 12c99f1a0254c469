//! Differences between a payload and a schema, for people. The server accepts any payload, so what
//! is compared are the keywords that mistakes are about: types, required and unknown properties,
//! and values.

use serde_json::{Map, Value};

/// Most differences that are listed.
const MAX_LISTED: usize = 10;

/// Most levels that are compared.
const MAX_DEPTH: usize = 32;

/// Most values that are compared. Options that refer to each other can multiply them.
const MAX_COMPARED: usize = 20_000;

/// The differences as sentences. A schema or payload that is not JSON has none.
pub(crate) fn differences(schema: &str, payload: &str) -> Vec<String> {
    let (Ok(schema), Ok(payload)) = (serde_json::from_str(schema), serde_json::from_str(payload))
    else {
        return Vec::new();
    };
    let mut comparison = Comparison { root: &schema, found: Vec::new(), left: MAX_COMPARED };
    comparison.value(&schema, &payload, "", 0);
    comparison.found.truncate(MAX_LISTED);
    comparison.found
}

struct Comparison<'a> {
    root: &'a Value,
    found: Vec<String>,
    /// How many values may still be compared.
    left: usize,
}

impl<'a> Comparison<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, place: &str, depth: usize) {
        if depth > MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        if let Some(other) = self.referred(schema) {
            self.value(other, value, place, depth + 1);
        }
        if let Some(types) = schema.get("type").filter(|types| !is_of(types, value)) {
            return self.add(place, &format!("must be {}, not {}", words(types), kind(value)));
        }
        if let Some(allowed) =
            schema.get("enum").and_then(Value::as_array).filter(|it| !it.contains(value))
        {
            let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            self.add(place, &format!("must be one of {}", allowed.join(", ")));
        }
        if let Some(only) = schema.get("const").filter(|it| *it != value) {
            self.add(place, &format!("must be {only}"));
        }
        self.limits(schema, value, place);
        match value {
            Value::Object(fields) => self.object(schema, fields, place, depth),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = schema.get("items") {
                        self.value(schema, item, &format!("{place}[{index}]"), depth + 1);
                    }
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
        }
        self.combined(schema, value, place, depth);
    }

    fn object(
        &mut self,
        schema: &'a Value,
        fields: &Map<String, Value>,
        place: &str,
        depth: usize,
    ) {
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.add(&below(place, name), "is missing");
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false))
            && schema.get("patternProperties").is_none();
        for (name, value) in fields {
            match properties.and_then(|it| it.get(name)) {
                Some(schema) => self.value(schema, value, &below(place, name), depth + 1),
                None if is_closed => {
                    self.add(&below(place, name), "is not a property of the schema");
                },
                None => {},
            }
        }
    }

    fn limits(&mut self, schema: &Value, value: &Value, place: &str) {
        let limit = |name| schema.get(name).and_then(Value::as_f64);
        let number = value.as_f64();
        let is_below = |limit: f64| number.is_some_and(|it| it < limit);
        let is_above = |limit: f64| number.is_some_and(|it| it > limit);
        if let Some(least) = limit("minimum").filter(|it| is_below(*it)) {
            self.add(place, &format!("must be at least {least}"));
        }
        if let Some(most) = limit("maximum").filter(|it| is_above(*it)) {
            self.add(place, &format!("must be at most {most}"));
        }
    }

    /// Schemas that consist of others.
    fn combined(&mut self, schema: &'a Value, value: &Value, place: &str, depth: usize) {
        let list = |name| schema.get(name).and_then(Value::as_array);
        for part in list("allOf").into_iter().flatten() {
            self.value(part, value, place, depth + 1);
        }
        let Some(options) = list("oneOf").or_else(|| list("anyOf")) else { return };
        let matches = options.iter().any(|option| {
            let mut inner = Comparison { root: self.root, found: Vec::new(), left: self.left };
            inner.value(option, value, place, depth + 1);
            self.left = inner.left;
            inner.found.is_empty()
        });
        if !matches {
            self.add(place, "matches none of the options of the schema");
        }
    }

    fn referred(&self, schema: &Value) -> Option<&'a Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn add(&mut self, place: &str, text: &str) {
        let place = if place.is_empty() { "The payload" } else { place };
        self.found.push(format!("{place} {text}"));
    }
}

fn below(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

fn is_of(types: &Value, value: &Value) -> bool {
    let is_one = |name: &Value| match name.as_str() {
        Some("integer") => value.as_f64().is_some_and(|it| it.fract() == 0.0),
        Some(name) => name == kind(value),
        None => true,
    };
    types.as_array().map_or_else(|| is_one(types), |types| types.iter().any(is_one))
}

fn words(types: &Value) -> String {
    let names = types.as_array().map_or_else(|| vec![types], |it| it.iter().collect());
    names.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{"type":"object","required":["id","lines"],"additionalProperties":false,
        "properties":{"id":{"type":"string"},"amount":{"type":"integer","minimum":1},
            "currency":{"enum":["EUR","USD"]},"note":{"type":["string","null"]},
            "lines":{"type":"array","items":{"$ref":"#/$defs/line"}},
            "pay":{"oneOf":[{"type":"string"},{"required":["card"]}]}},
        "$defs":{"line":{"type":"object","required":["sku"]}}}"##;

    #[track_caller]
    fn check(payload: &str, expected: &[&str]) {
        assert_eq!(differences(SCHEMA, payload), expected, "{payload}");
    }

    #[test]
    fn differences_name_their_place() {
        check(r#"{"id":"x","amount":1.0,"currency":"EUR","note":null,"lines":[{"sku":1}]}"#, &[]);
        check("[]", &["The payload must be object, not array"]);
        check(r#"{"id":7}"#, &["lines is missing", "id must be string, not number"]);
        check(
            r#"{"id":"x","lines":[{}],"amount":0,"currency":"GBP","extra":1,"pay":{}}"#,
            &[
                "amount must be at least 1",
                "currency must be one of \"EUR\", \"USD\"",
                "extra is not a property of the schema",
                "lines[0].sku is missing",
                "pay matches none of the options of the schema",
            ],
        );
    }

    #[test]
    fn recursive_schemas_end() {
        assert_eq!(differences(r##"{"$ref":"#"}"##, "{}"), Vec::<String>::new());
    }
}
