//! An event type as a form and as the body of a request.

use std::collections::BTreeMap;

use postrider::api::{EventTypeOut, EventTypeUpdate, FeatureFlags};
use serde_json::value::{RawValue, to_raw_value};

use super::{validation, versions::Versions};
use crate::{
    form::Form,
    ui::{code, refusal::Problem},
};

/// The version of the first schema.
const FIRST: &str = "1";

/// The body of a request that creates or replaces an event type. The form has the schema of one
/// version; those of other versions are kept.
pub(super) fn body(form: &Form, old: Option<&EventTypeOut>) -> Result<EventTypeUpdate, Problem> {
    let versions = old.map(|it| Versions::of(it).into_map()).unwrap_or_default();
    Ok(EventTypeUpdate {
        name: None,
        description: form.text("description").unwrap_or_default().to_owned(),
        archived: old.is_some_and(|it| it.archived),
        deprecated: form.has("deprecated"),
        schemas: schemas(form, versions)?,
        schema_validation: validation::of_form(form),
        group_name: form.text("group").map(ToOwned::to_owned),
        feature_flags: FeatureFlags(Some(form.words("flags")).filter(|it| !it.is_empty())),
    })
}

/// The fields of a form that shows an event type, with its newest schema.
pub(super) fn fields(it: &EventTypeOut) -> Form {
    let versions = Versions::of(it);
    let newest = versions.newest().map(|(version, schema)| {
        (version, code::indent(schema.get()).unwrap_or_else(|| schema.get().to_owned()))
    });
    let (version, schema) = newest.unwrap_or((FIRST, String::new()));
    let deprecated = it.deprecated.then(|| ("deprecated", "on".to_owned()));
    Form::filled(
        [
            ("name", it.name.to_string()),
            ("description", it.description.clone()),
            ("group", it.group_name.clone().unwrap_or_default()),
            ("flags", it.feature_flags.0.as_deref().unwrap_or_default().join(" ")),
            ("version", version.to_owned()),
            ("schema", schema),
            ("validation", validation::value(it.schema_validation).to_owned()),
        ]
        .into_iter()
        .chain(deprecated),
    )
}

fn schemas(
    form: &Form,
    mut versions: BTreeMap<String, Box<RawValue>>,
) -> Result<Option<Box<RawValue>>, Problem> {
    let version = form.text("version").unwrap_or(FIRST).to_owned();
    match form.text("schema") {
        Some(text) => versions.insert(version, schema(text)?),
        None => versions.remove(&version),
    };
    if versions.is_empty() {
        return Ok(None);
    }
    let schemas = to_raw_value(&versions);
    schemas.map(Some).map_err(|error| ("schema", error.to_string()))
}

fn schema(text: &str) -> Result<Box<RawValue>, Problem> {
    serde_json::from_str(text).map_err(|error| ("schema", format!("is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use postrider::api::Patch;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(form: &str, old: &str, expected: &str) {
        let mut event_type: EventTypeOut = serde_json::from_value(json!({
            "name": "a.b", "description": "", "archived": true, "deprecated": false,
            "createdAt": "2026-11-27T00:00:00Z", "updatedAt": "2026-11-27T00:00:00Z",
        }))
        .unwrap();
        event_type.schemas = (!old.is_empty()).then(|| serde_json::from_str(old).unwrap());
        let schemas = body(&Form::parse(form.as_bytes()), Some(&event_type));
        let schemas = schemas.map(|it| it.schemas.map_or(String::new(), |it| it.get().to_owned()));
        assert_eq!(schemas.unwrap_or_else(|problem| problem.1), expected, "{form}");
    }

    #[test]
    fn a_schema_is_one_of_several_versions() {
        check("schema=", "", "");
        check("schema=%7B%7D", "", r#"{"1":{}}"#);
        check("schema=%7B%7D&version=2", r#"{"1":{"z":1,"a":2}}"#, r#"{"1":{"z":1,"a":2},"2":{}}"#);
        check("schema=&version=2", r#"{"1":{},"2":{}}"#, r#"{"1":{}}"#);
        check("schema=%7B", "", "is not JSON: EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn other_fields_are_kept_or_replaced() {
        let event_type: EventTypeOut = serde_json::from_value(json!({
            "name": "a.b", "description": "Old", "archived": true, "deprecated": true,
            "groupName": "g", "featureFlags": ["f", "h"],
            "createdAt": "2026-11-27T00:00:00Z", "updatedAt": "2026-11-27T00:00:00Z",
        }))
        .unwrap();
        let body = body(&fields(&event_type), Some(&event_type)).unwrap();
        assert_eq!(
            (body.description.as_str(), body.archived, body.deprecated),
            ("Old", true, true)
        );
        assert_eq!(body.group_name.as_deref(), Some("g"));
        assert_eq!(body.schema_validation, Patch::Clear);
        assert_eq!(body.feature_flags.0, Some(vec!["f".to_owned(), "h".to_owned()]));
    }
}
