//! Examples of requests and responses for the document, made from the schemas of their types and
//! from one table of values.

use serde_json::{Map, Value, json};

/// Maximum depth to which schemas are followed.
const MAX_DEPTH: usize = 20;

/// Makes examples of types.
#[derive(Debug)]
pub(crate) struct Examples<'a> {
    /// The schemas that others can refer to.
    definitions: &'a Map<String, Value>,
}

impl<'a> Examples<'a> {
    pub(crate) const fn new(definitions: &'a Map<String, Value>) -> Self {
        Self { definitions }
    }

    /// An example of the schema.
    pub(crate) fn of(&self, schema: &Value) -> Value {
        self.value("", schema, MAX_DEPTH)
    }

    /// An example of the schema, which is a part of the type `owner`.
    fn value(&self, owner: &str, schema: &Value, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        if let Some(name) = reference(schema) {
            let definition = || self.definitions.get(name).unwrap_or(&Value::Null);
            return whole(name).unwrap_or_else(|| self.value(name, definition(), depth));
        }
        if let Some(stated) = stated(schema) {
            return stated.clone();
        }
        if let Some(choices) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
            let choice = choices.iter().find(|it| it["type"] != "null");
            return choice.map_or(Value::Null, |it| self.value(owner, it, depth));
        }
        match type_of(schema) {
            "object" => self.object(owner, schema, depth),
            "array" => match schema.get("items") {
                Some(items) => json!([self.value(owner, items, depth)]),
                None => json!([]),
            },
            "string" => text(schema),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    /// An object with the fields that are required, and those that the table has.
    fn object(&self, owner: &str, schema: &Value, depth: usize) -> Value {
        let Some(properties) = schema["properties"].as_object() else {
            return match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => {
                    json!({ "key": self.value(owner, values, depth) })
                },
                _ => json!({}),
            };
        };
        let is_required = |name: &str| {
            let required = schema["required"].as_array();
            required.is_some_and(|required| required.iter().any(|it| it == name))
        };
        let mut fields = Map::new();
        for (name, property) in properties {
            if property["deprecated"] == true {
                continue;
            }
            match field(owner, name) {
                Some(value) => drop(fields.insert(name.clone(), value)),
                None if is_required(name) => {
                    fields.insert(name.clone(), self.value(owner, property, depth));
                },
                None => {},
            }
        }
        fields.into()
    }
}

/// The type that the schema refers to.
fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// A value that the schema itself names.
fn stated(schema: &Value) -> Option<&Value> {
    let first = |key| schema.get(key).and_then(|it| it.get(0));
    schema.get("const").or_else(|| first("examples")).or_else(|| first("enum"))
}

/// The type, or the first of several.
fn type_of(schema: &Value) -> &str {
    let declared = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    let has_fields = schema.get("properties").is_some();
    declared.unwrap_or(if has_fields { "object" } else { "" })
}

fn text(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("date-time") => json!("2026-01-31T12:00:00Z"),
        Some("uri") => json!("https://example.com/webhooks"),
        Some(_) | None => json!("text"),
    }
}

/// The examples of types as a whole.
fn whole(name: &str) -> Option<Value> {
    Some(match name {
        "ConsumerConfig" => json!({ "url": "nats://nats.example.com", "stream": "events" }),
        "EndpointConfig" => json!({}),
        "EnvironmentSettingsIn" => json!({ "enforceHttps": true }),
        "Declaration" => json!({
            "applications": [{ "uid": "acme", "name": "Acme" }],
            "endpoints": [
                { "application": "acme", "uid": "billing", "url": "https://example.com/webhooks" },
            ],
        }),
        "DeclarationOut" => json!({
            "applications": [{ "uid": "acme", "name": "Acme" }],
            "endpoints": [
                { "application": "acme", "uid": "billing", "url": "https://example.com/webhooks", "secret": "***" },
            ],
        }),
        "AlertOut" => json!({
            "kind": "disk_nearly_full",
            "subject": "node-1",
            "summary": "900 MiB of 10000 MiB are free on the disk with the data folder; free \
                        space or enlarge it before new messages are refused.",
            "beganAt": "2026-01-31T12:00:00Z",
        }),
        _ => return None,
    })
}

/// A transformation.
const CODE: &str = "function handler(webhook) {\n  webhook.payload = { text: webhook.payload.id };\n  \
    return webhook;\n}";

/// The values of fields, by the name of the type and of the field. The others have values that their
/// schemas imply.
fn field(owner: &str, name: &str) -> Option<Value> {
    match (owner, name) {
        ("DestinationIn" | "DestinationOut" | "DestinationPatch", "config") => {
            Some(json!({ "url": "https://example.com/webhooks" }))
        },
        ("DestinationIn" | "DestinationOut" | "DestinationPatch", "type") => {
            Some(json!("fifoEndpoint"))
        },
        ("BackgroundTaskProgress", "done") => Some(json!(120)),
        ("PollingEndpointOut" | "PollingEndpointConsumerSeekOut", "iterator") => {
            Some(json!("MTozOjE"))
        },
        ("PollingConsumerOut", "id") => Some(json!("worker")),
        ("PollerV2MessageOut" | "PollerV2CommitIn", "offset")
        | ("PollingConsumerOut", "committedOffset") => Some(json!(3)),
        ("PollingConsumersOut", "lastOffset") => Some(json!(5)),
        ("PollingConsumerOut", "lag") => Some(json!(2)),
        ("WhoamiOut", "envId") | ("ConnectorOut", "orgId") => Some(json!("org_main")),
        ("ErrorOut", "code") => Some(json!("not_found")),
        ("ErrorOut", "detail") => Some(json!("endpoint not found")),
        ("EventTypeImportOpenApiIn", "spec") => Some(json!({
            "openapi": "3.1.0",
            "webhooks": { "order.paid": { "post": { "description": "An order was paid." } } },
        })),
        ("IngestSourceIn" | "IngestSourceOut", "type") => Some(json!("github")),
        ("IngestSourceIn" | "IngestSourceOut" | "IntegrationIn" | "IntegrationOut", "name") => {
            Some(json!("Orders"))
        },
        ("ApplicationIn" | "ApplicationOut" | "ApplicationPatch", "name") => {
            Some(json!("Example, Inc."))
        },
        ("ApplicationIn" | "ApplicationOut" | "ApplicationPatch", "uid") => {
            Some(json!("customer-7"))
        },
        ("ConsumerIn" | "ConsumerOut", "kind") => Some(json!("nats")),
        (
            "EventTypeIn" | "EventTypeOut" | "EventTypeUpdate" | "EventTypeFromOpenApi",
            "schemas",
        ) => {
            Some(json!({ "1": { "type": "object", "properties": { "id": { "type": "string" } } } }))
        },
        (
            "ConnectorIn" | "ConnectorOut" | "ConnectorUpsertIn" | "ConnectorTemplateOut",
            "name" | "kind",
        ) => Some(json!("Slack")),
        (_, "transformation") if owner.starts_with("Connector") => Some(json!(CODE)),
        (_, "code") if owner.contains("Transformation") => Some(json!(CODE)),
        ("TransformationSimulateOut", "payload") => Some(json!(r#"{"text":"order-17"}"#)),
        ("EventOut", "payload") => Some(json!(r#"{"id":"order-17","total":1200}"#)),
        ("EndpointAuthentication", "type") => Some(json!("bearer")),
        ("EndpointAuthentication", "token") => Some(json!("token")),
        ("EndpointOauthConfigIn" | "EndpointOauthConfigOut", "tokenUrl") => {
            Some(json!("https://id.example.com/token"))
        },
        ("EndpointOauthConfigIn", "clientSecret") => Some(json!("secret of the client")),
        ("EndpointMtlsConfigIn", "identity") => Some(json!(
            "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n\
             -----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
        )),
        ("EndpointIn" | "EndpointUpdate", "secret" | "headers")
        | ("EnvironmentOut" | "EnvironmentIn", "settings" | "eventTypes" | "connectors")
        | ("IngestSourceIn" | "IngestSourceOut", "response")
        | ("IngestLogOut" | "MessageRawPayloadOut", "payload")
        | ("MessageEventsOut", "iterator")
        | ("IngestSourcePatch" | "EventTypePatch" | "EndpointPatch", _) => None,
        _ => common(name),
    }
}

/// Fields that mean the same in every type.
fn common(name: &str) -> Option<Value> {
    Some(match name {
        "channels" => json!(["project-1"]),
        "code" => json!("not_found"),
        "createdAt" | "created_at" | "timestamp" | "updatedAt" | "updated_at" | "since" => {
            json!("2026-01-31T12:00:00Z")
        },
        "description" => json!("Orders of the shop"),
        "done" => json!(true),
        "eventId" => json!("order-17"),
        "eventType" => json!("order.paid"),
        "eventTypes" => json!(["order.paid"]),
        "featureFlags" => json!(["beta"]),
        "groupName" => json!("order"),
        "headers" => json!({ "x-team": "orders" }),
        "iterator" | "prevIterator" => Value::Null,
        "key" | "secret" => json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "metadata" => json!({ "plan": "pro" }),
        "payload" => json!({ "id": "order-17", "total": 1200 }),
        "response" => json!("ok"),
        "responseDurationMs" | "durationMs" => json!(35),
        "responseStatusCode" => json!(200),
        "tags" => json!(["important"]),
        "uid" => json!("orders"),
        "url" => json!("https://example.com/webhooks"),
        _ => return None,
    })
}
