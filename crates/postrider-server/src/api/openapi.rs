//! The `OpenAPI` 3.1 document, made from the declarations of the operations.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use postrider::api::{ErrorOut, OperationalEvent, ValidationErrorOut};

use crate::{
    api::{
        access::Access,
        examples::Examples,
        operation::{AnyOperation, Declaration, Description, Idempotency},
        query::Parameter,
    },
    operations,
};

/// The description of the API.
const DESCRIPTION: &str = "\
    Sends and receives webhooks. Published events are delivered as signed requests, and retried \
    until they arrive.\n\n\
    In paths, the uid of a record can be used instead of its id. \
    Lists are paginated: pass `iterator` to get the next page, or `prevIterator` to get the \
    previous one, until `done` is true. \
    A POST with an `idempotency-key` takes effect once: for 12 hours, the same request with the \
    same key gets the same response, and another request with that key is rejected. A rejected \
    request does not use up its key.\n\n\
    Errors have the form `{code, detail}`. Only 422 differs: it lists all problems of the \
    request with their locations. A body that is not JSON is a 422 as well. \
    After a 503, nothing has been changed, and the same request can succeed later.";

/// The `OpenAPI` document as JSON.
pub fn openapi() -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "#/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let errors = [
        generator.subschema_for::<ErrorOut>().to_value(),
        generator.subschema_for::<ValidationErrorOut>().to_value(),
    ];
    generator.subschema_for::<OperationalEvent>();
    let mut paths = Map::new();
    for operation in operations::all() {
        let described = describe(&operation, &mut generator, &errors);
        let Declaration { method, path, .. } = operation.declaration;
        let path = paths.entry(path).or_insert_with(|| json!({}));
        path[method.as_str().to_ascii_lowercase()] = described;
    }
    let schemas = generator.take_definitions(true);
    let examples = add_examples(&mut paths, &schemas);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postrider",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "examples": examples,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&document).expect("JSON values serialize");
    text.push('\n');
    text
}

fn describe(
    operation: &AnyOperation,
    generator: &mut SchemaGenerator,
    errors: &[Value; 2],
) -> Value {
    let declaration = &operation.declaration;
    let Description { query, body, is_body_required, replies } = (operation.describe)(generator);
    let mut parameters = path_parameters(declaration.path);
    parameters.extend(query.iter().map(query_parameter));
    if declaration.idempotency != Idempotency::Unkeyed {
        parameters.push(json!({
            "name": "idempotency-key",
            "in": "header",
            "description": "A repeated request with the same key gets the same response, for 12 hours.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 256 },
        }));
    }
    let mut responses = Map::new();
    for (status, schema) in replies {
        let mut response = json!({ "description": status.canonical_reason().unwrap_or_default() });
        if let Some(schema) = schema {
            response["content"] = content(&schema.to_value());
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    responses.extend(error_responses(declaration, errors));
    let mut described = json!({
        "operationId": declaration.id,
        "tags": [declaration.tag],
        "summary": declaration.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = body {
        described["requestBody"] =
            json!({ "required": is_body_required, "content": content(&body.to_value()) });
    }
    if declaration.access == Access::Anyone {
        described["security"] = json!([]);
    }
    described
}

/// Adds an example to every body, and returns the examples by the names of their types.
fn add_examples(
    paths: &mut Map<String, Value>,
    schemas: &Map<String, Value>,
) -> Map<String, Value> {
    let examples = Examples::new(schemas);
    let mut named = Map::new();
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in operations.flat_map(Map::values_mut) {
        let (mut bodies, responses) = (Vec::new(), &operation["responses"]);
        let statuses = responses.as_object().into_iter().flat_map(Map::keys);
        bodies.extend(statuses.map(|it| format!("/responses/{it}/content/application~1json")));
        bodies.push("/requestBody/content/application~1json".to_owned());
        for pointer in bodies {
            let Some(body) = operation.pointer_mut(&pointer) else { continue };
            let name = body["schema"]["$ref"].as_str().and_then(|it| it.rsplit('/').next());
            let name = name.unwrap_or("Object").to_owned();
            body["examples"] =
                json!({ "example": { "$ref": format!("#/components/examples/{name}") } });
            let value = || json!({ "value": examples.of(&body["schema"]) });
            if !named.contains_key(&name) {
                named.insert(name, value());
            }
        }
    }
    named
}

fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The parameters of the path.
fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let description = match name {
                "app_id" => "The application's id or uid.",
                "endpoint_id" => "The endpoint's id or uid.",
                "source_id" => "The source's id or uid.",
                "msg_id" => "The message's id or `eventId`.",
                "event_type_name" => "The event type's name.",
                _ => "The id.",
            };
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": { "type": "string" },
            })
        })
        .collect()
}

fn query_parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": parameter.schema,
    })
}

/// The error responses of an operation.
fn error_responses(operation: &Declaration, [error, invalid]: &[Value; 2]) -> Map<String, Value> {
    let mut codes = vec![("503", "The server cannot process the request now")];
    if operation.access != Access::Anyone {
        codes.push(("401", "The token is missing, invalid or expired"));
        codes.push(("403", "The token does not allow this"));
        codes.push(("404", "The record does not exist"));
    }
    if !operation.method.is_safe() {
        codes.push(("409", "The request conflicts with the current state"));
        codes.push(("413", "The body is too large"));
    }
    let mut responses: Map<String, Value> = codes
        .into_iter()
        .map(|(code, description)| {
            let response = json!({ "description": description, "content": content(error) });
            (code.to_owned(), response)
        })
        .collect();
    if operation.access != Access::Anyone {
        let response =
            json!({ "description": "The request is invalid", "content": content(invalid) });
        responses.insert("422".to_owned(), response);
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_in_the_document_has_the_schema_of_its_type() {
        let document: Value = serde_json::from_str(&openapi()).expect("it is JSON");
        let examples = document["components"]["examples"].as_object().expect("there are examples");
        let schemas = json!({ "schemas": document["components"]["schemas"] });
        let mut wrong = Vec::new();
        for (name, example) in examples.iter().filter(|(name, _)| *name != "Object") {
            let reference = format!("#/components/schemas/{name}");
            let schema = json!({ "$ref": reference, "components": schemas });
            let schema = jsonschema::options().offline().build(&schema).expect("it is valid");
            if let Err(error) = schema.validate(&example["value"]) {
                wrong.push(format!("{name}: {error}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_body_in_the_document_has_an_example() {
        let document: Value = serde_json::from_str(&openapi()).expect("it is JSON");
        let paths = document["paths"].as_object().expect("there are paths");
        let operations = paths.values().flat_map(|it| it.as_object().expect("it is one").values());
        for operation in operations {
            let responses = operation["responses"].as_object().expect("there are responses");
            for body in responses.values().chain(operation.get("requestBody")) {
                let Some(content) = body.get("content") else { continue };
                let example = &content["application/json"]["examples"]["example"]["$ref"];
                let example =
                    example.as_str().and_then(|it| document.pointer(it.trim_start_matches('#')));
                assert!(example.is_some(), "{}", operation["operationId"]);
            }
        }
    }
}
