//! Arguments of tools, checked against their schema.

use serde_json::{Map, Value};

/// Whether the arguments match the schema, which has the form of those in this module's neighbour.
pub(super) fn check(schema: &Value, arguments: &Map<String, Value>) -> Result<(), String> {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|it| !arguments.contains_key(*it)) {
        return Err(format!("the argument `{missing}` is missing"));
    }
    for (name, value) in arguments {
        let Some(property) = properties.get(name) else {
            let known = properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(format!("there is no argument `{name}`; there are: {known}"));
        };
        check_value(name, property, value)?;
    }
    Ok(())
}

fn check_value(name: &str, property: &Value, value: &Value) -> Result<(), String> {
    let wanted = property["type"].as_str().unwrap_or_default();
    let is_right = match wanted {
        "string" => value.is_string(),
        "integer" => value.as_i64().is_some(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.as_array().is_some_and(|it| it.iter().all(Value::is_string)),
        _ => true,
    };
    if !is_right {
        let what = if wanted == "array" { "a list of strings" } else { wanted };
        return Err(format!("the argument `{name}` must be of the type {what}"));
    }
    let bound = |key: &str| property[key].as_i64();
    if let Some(number) = value.as_i64() {
        let (least, most) =
            (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX));
        if !(least..=most).contains(&number) {
            return Err(format!("the argument `{name}` must be from {least} to {most}"));
        }
    }
    Ok(())
}
