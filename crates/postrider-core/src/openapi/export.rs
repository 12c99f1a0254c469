//! Writes event types as the webhooks of a document.

use serde_json::{Map, Value, json};

use super::FEATURE_FLAGS;
use crate::{catalog::EventType, json_schema};

/// A document with the event types, each with the newest version of its schema.
pub fn export<'a>(event_types: impl IntoIterator<Item = &'a EventType>) -> Map<String, Value> {
    let webhooks: Map<String, Value> = event_types
        .into_iter()
        .map(|it| (it.name.as_str().to_owned(), json!({ "post": operation(it) })))
        .collect();
    let info = json!({ "title": "Webhooks", "version": "1" });
    [("openapi", json!("3.1.0")), ("info", info), ("webhooks", webhooks.into())]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn operation(event_type: &EventType) -> Value {
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
    if let Some(schema) = event_type.schemas.as_deref().and_then(json_schema::newest) {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": schema } },
        });
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::{super::import, *};
    use crate::time::Timestamp;

    #[test]
    fn an_exported_document_describes_the_same_event_types() {
        let event_type = EventType {
            organization: "org_a".parse().expect("it is a name"),
            name: "user.created".parse().expect("it is a name"),
            description: "A user was created.".to_owned(),
            archived: false,
            deprecated: true,
            schemas: Some(
                json!({ "9": { "type": "null" }, "10": { "type": "object" } }).to_string(),
            ),
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
        assert_eq!(found.schema, Some(json!({ "type": "object" })));
        assert_eq!(found.feature_flags, event_type.feature_flags);
        assert_eq!(found.group_name, event_type.group_name);
        assert!(found.deprecated);
    }
}
