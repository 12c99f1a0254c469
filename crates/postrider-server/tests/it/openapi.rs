//! The committed document is the one that the code makes.

use std::{fs, path::Path};

use serde_json::Value;

use crate::world::World;

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let made = postrider_server::openapi();
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == made,
        "openapi.json is not up to date: run `cargo run -- openapi > openapi.json`"
    );
}

#[test]
fn references_resolve_and_operation_ids_are_unique() {
    let document: Value = serde_json::from_str(&postrider_server::openapi()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let operations = document["paths"].as_object().unwrap().values();
    let mut ids: Vec<&str> = operations
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|it| it["operationId"].as_str().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|it| collect(it, references));
        },
        Value::Array(items) => items.iter().for_each(|it| collect(it, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {},
    }
}

#[tokio::test(start_paused = true)]
async fn the_document_of_the_api_is_served() {
    let world = World::new();
    let document = world.get("/api/v1/openapi.json").await;
    assert_eq!(document.text, postrider_server::openapi());
}
