//! The schemas of an event type, by version.

use std::{cmp::Reverse, collections::BTreeMap};

use postrider::api::EventTypeOut;
use postrider_core::schema_example;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema;
use crate::ui::code;

/// The schemas, newest first.
#[derive(Debug)]
pub(crate) struct Versions {
    schemas: Vec<(String, Box<RawValue>)>,
    /// All of them as the API has them.
    text: Option<String>,
}

/// The examples that a schema names.
#[derive(Deserialize)]
struct Examples {
    #[serde(default)]
    examples: Vec<Box<RawValue>>,
    example: Option<Box<RawValue>>,
}

impl Versions {
    pub(crate) fn of(event_type: &EventTypeOut) -> Self {
        let text = event_type.schemas.as_ref().map(|it| it.get().to_owned());
        let schemas =
            text.as_deref().and_then(|it| serde_json::from_str::<BTreeMap<_, _>>(it).ok());
        let mut schemas: Vec<(String, _)> = schemas.into_iter().flatten().collect();
        schemas.sort_by_key(|(version, _)| Reverse(order(version)));
        Self { schemas, text }
    }

    /// The names of the versions, newest first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.schemas.iter().map(|it| it.0.as_str())
    }

    pub(crate) fn newest(&self) -> Option<(&str, &RawValue)> {
        self.schemas.first().map(|(version, schema)| (version.as_str(), &**schema))
    }

    /// The schema of a version, or of the newest if there is no such version.
    pub(crate) fn find(&self, version: Option<&str>) -> Option<(&str, &RawValue)> {
        let found = self.schemas.iter().find(|it| Some(it.0.as_str()) == version);
        found.map(|(version, schema)| (version.as_str(), &**schema)).or_else(|| self.newest())
    }

    /// The schemas by version, to be changed.
    pub(super) fn into_map(self) -> BTreeMap<String, Box<RawValue>> {
        self.schemas.into_iter().collect()
    }

    /// An example of the newest version, indented. It is the one that the server sends as an
    /// example, but with the order of its fields as it was written.
    pub(crate) fn example(&self) -> Option<String> {
        let written = self.newest().and_then(|(_, schema)| written_example(schema.get()));
        let example = written.or_else(|| schema_example::of(self.text.as_deref()?, 0))?;
        Some(code::indent(&example).unwrap_or(example))
    }

    /// Differences between a payload and the newest schema.
    pub(crate) fn differences(&self, payload: &str) -> Vec<String> {
        let newest = self.newest();
        newest.map_or_else(Vec::new, |(_, schema)| schema::differences(schema.get(), payload))
    }
}

/// Versions are numbers, or else texts, which are before all numbers.
fn order(version: &str) -> (Option<u64>, String) {
    (version.parse().ok(), version.to_owned())
}

fn written_example(schema: &str) -> Option<String> {
    let found: Examples = serde_json::from_str(schema).ok()?;
    let first = found.examples.into_iter().next().or(found.example)?;
    Some(first.get().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn versions(schemas: &str) -> Versions {
        let mut event_type: EventTypeOut = serde_json::from_value(json!({
            "name": "a.b", "description": "", "archived": false, "deprecated": false,
            "createdAt": "2026-11-27T00:00:00Z", "updatedAt": "2026-11-27T00:00:00Z",
        }))
        .unwrap();
        event_type.schemas = Some(RawValue::from_string(schemas.to_owned()).unwrap());
        Versions::of(&event_type)
    }

    #[test]
    fn the_newest_version_is_first() {
        let versions = versions(r#"{"9":{},"10":{},"draft":{}}"#);
        assert_eq!(versions.names().collect::<Vec<_>>(), ["10", "9", "draft"]);
        assert_eq!(versions.find(Some("9")).unwrap().0, "9");
        assert_eq!(versions.find(Some("8")).unwrap().0, "10");
    }

    #[test]
    fn an_example_keeps_the_order_of_its_fields() {
        let written = versions(r#"{"1":{"examples":[{"z":1.50,"a":2}]}}"#);
        assert_eq!(written.example().unwrap(), "{\n  \"z\": 1.50,\n  \"a\": 2\n}");
        let generated = versions(r#"{"1":{"properties":{"z":{"type":"boolean"}}}}"#);
        assert_eq!(generated.example().unwrap(), "{\n  \"z\": true\n}");
    }
}
