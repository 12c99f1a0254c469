//! Writes event types as the webhooks of a document.

use serde_json::{Map, Value, json};

use super::{FEATURE_FLAGS, import::COMPONENTS};
use crate::{catalog::EventType, json_schema};

/// A document with the event types, each with the newest version of its schema.
pub fn export<'a>(event_types: impl IntoIterator<Item = &'a EventType>) -> Map<String, Value> {
    let mut components = Map::new();
    let webhooks: Map<String, Value> = event_types
        .into_iter()
        .map(|it| {
            let operation = operation(it, &mut components);
            (it.name.as_str().to_owned(), json!({ "post": operation }))
        })
        .collect();
    let info = json!({ "title": "Webhooks", "version": "1" });
    let mut document = Map::new();
    document.insert("openapi".to_owned(), json!("3.1.0"));
    document.insert("info".to_owned(), info);
    document.insert("webhooks".to_owned(), webhooks.into());
    if !components.is_empty() {
        document.insert("components".to_owned(), json!({ "schemas": components }));
    }
    document
}

fn operation(event_type: &EventType, components: &mut Map<String, Value>) -> Value {
    let mut operation = json!({
        "operationId": event_type.name,
        "description": event_type.description,
        "responses": { "2XX": { "description": "The webhook was received." } },
    });
    if event_type.deprecated {
        operation["deprecated"] = true.into();
    }
    if let Some(group) = &event_type.group_name {
        operation["tags"] = json!([group]);
    }
    if !event_type.feature_flags.is_empty() {
        operation[FEATURE_FLAGS] = json!(event_type.feature_flags);
    }
    if let Some(mut schema) = event_type.schemas.as_deref().and_then(json_schema::newest) {
        let name = event_type.name.as_str();
        let component = format!("{COMPONENTS}{name}");
        // References count from the document, so that a schema with some is a component.
        if schema.get("$id").is_none() && point_to(&component, &mut schema) {
            components.insert(name.to_owned(), schema);
            schema = json!({ "$ref": component });
        }
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

/// Lets references within the schema begin with the name of its component. Returns whether there
/// are any.
fn point_to(component: &str, schema: &mut Value) -> bool {
    let mut found = false;
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), value) {
                    ("$ref", Value::String(reference)) if is_within(reference) => {
                        reference.replace_range(..1, component);
                        found = true;
                    },
                    (_, value) => found |= point_to(component, value),
                }
            }
        },
        Value::Array(items) => {
            for item in items {
                found |= point_to(component, item);
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
    found
}

/// Whether a reference is a pointer into its own schema.
fn is_within(reference: &str) -> bool {
    reference == "#" || reference.starts_with("#/")
}

#[cfg(test)]
mod tests {
    use super::{super::import, *};
    use crate::time::Timestamp;

    #[test]
    fn an_exported_document_describes_the_same_event_types() {
        check(&json!({ "type": "object" }));
        check(&json!({
            "properties": { "team": { "$ref": "#/$defs/Team" }, "next": { "$ref": "#" } },
            "$defs": { "Team": { "properties": { "lead": { "$ref": "#/properties/next" } } } },
        }));
    }

    #[track_caller]
    fn check(schema: &Value) {
        let event_type = EventType {
            managed_by: None,
            organization: "org_a".parse().expect("it is a name"),
            name: "user.created".parse().expect("it is a name"),
            description: "A user was created.".to_owned(),
            archived: false,
            deprecated: true,
            schemas: Some(json!({ "9": { "type": "null" }, "10": schema }).to_string()),
            schema_validation: None,
            feature_flags: vec!["beta".to_owned()],
            group_name: Some("user".to_owned()),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        let document = export([&event_type]);
        let found = import(&document, 1_000).expect("it is valid");
        let [found] = found.as_slice() else { panic!("there is one webhook: {document:?}") };
        assert_eq!(found.name, "user.created");
        assert_eq!(found.description, event_type.description);
        assert_eq!(found.schema.as_ref(), Some(schema));
        assert_eq!(found.feature_flags, event_type.feature_flags);
        assert_eq!(found.group_name, event_type.group_name);
        assert!(found.deprecated);
    }
}
