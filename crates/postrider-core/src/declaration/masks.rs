//! Masks in documents, and values that say nothing.

use serde_json::{Map, Value};

use crate::kind::MASK;

/// The document with the old value in place of each mask, or the fields whose masks stand for
/// nothing.
pub fn keep_masked(new: Value, old: Option<&Value>) -> Result<Value, Vec<Vec<String>>> {
    let mut missing = Vec::new();
    let kept = keep(new, old, &mut Vec::new(), &mut missing);
    if missing.is_empty() { Ok(kept) } else { Err(missing) }
}

fn keep(
    new: Value,
    old: Option<&Value>,
    path: &mut Vec<String>,
    missing: &mut Vec<Vec<String>>,
) -> Value {
    match new {
        Value::String(text) if text == MASK => {
            if let Some(old) = old {
                old.clone()
            } else {
                missing.push(path.clone());
                Value::String(text)
            }
        },
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(name, value)| {
                path.push(name.clone());
                let kept = keep(value, old.and_then(|it| it.get(&name)), path, missing);
                path.pop();
                (name, kept)
            });
            Value::Object(kept.collect())
        },
        Value::Array(items) => {
            let kept = items.into_iter().enumerate().map(|(index, value)| {
                path.push(index.to_string());
                let kept = keep(value, old.and_then(|it| it.get(index)), path, missing);
                path.pop();
                kept
            });
            Value::Array(kept.collect())
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => new,
    }
}

/// The document without fields that mean the same as their absence: those that are `null`, false or
/// empty. Values inside fields stay as they are.
pub fn compact(document: Map<String, Value>) -> Map<String, Value> {
    document.into_iter().filter(|(_, value)| says_something(value)).collect()
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
