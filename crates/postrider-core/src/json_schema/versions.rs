//! The versions of an event type's schemas.

use serde_json::{Map, Value};

/// The newest version: the one with the highest number. Versions that are not numbers are older
/// than those that are.
pub fn newest_version(schemas: &Map<String, Value>) -> Option<&String> {
    schemas.keys().max_by_key(|it| (it.parse::<u64>().ok(), *it))
}

/// The schema with the newest version, of schemas as JSON text.
pub fn newest(schemas: &str) -> Option<Value> {
    let mut schemas: Map<String, Value> = serde_json::from_str(schemas).ok()?;
    let newest = newest_version(&schemas)?.clone();
    schemas.remove(&newest)
}
