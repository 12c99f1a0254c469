//! Reads the webhooks of a document.

use std::collections::BTreeSet;

use postrider::EventTypeName;
use serde_json::{Map, Value};

use super::{DescribedEventType, DocumentProblem, FEATURE_FLAGS, callbacks, version_3_0};

/// Where documents of version 3.1 have webhooks, and where older ones have them.
const WEBHOOKS: [&str; 2] = ["webhooks", "x-webhooks"];

/// The methods of the operation that describes a webhook, the usual one first.
const METHODS: [&str; 5] = ["post", "put", "patch", "get", "delete"];

pub(super) const COMPONENTS: &str = "#/components/schemas/";

/// Most references from one component to another on the way to a webhook's description.
const MAX_HOPS: usize = 8;

/// The event types that the webhooks and the callbacks of the document describe. Callbacks that
/// describe the same are one event type. `max_bytes` bounds their schemas together: each
/// contains what it refers to, so they can be much larger than the document.
pub fn import(
    document: &Map<String, Value>,
    max_bytes: usize,
) -> Result<Vec<DescribedEventType>, DocumentProblem> {
    let is_3_0 =
        document.get("openapi").and_then(Value::as_str).is_some_and(|it| it.starts_with("3.0"));
    let mut importer = Importer { document, is_3_0, left: max_bytes };
    let mut found = Vec::new();
    for field in WEBHOOKS {
        let Some(webhooks) = document.get(field) else { continue };
        let webhooks = webhooks
            .as_object()
            .ok_or_else(|| problem(&[field], "must be an object of webhooks by name"))?;
        for (key, item) in webhooks {
            found.push(importer.event_type(&[field, key], key, item)?);
        }
    }
    for (place, name, item) in callbacks::all(document) {
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        let described = importer.event_type(&place, name, item)?;
        if !found.contains(&described) {
            found.push(described);
        }
    }
    if found.is_empty() {
        return Err(problem(
            &[],
            "has neither webhooks (`webhooks` or `x-webhooks`) nor callbacks",
        ));
    }
    Ok(found)
}

fn problem(place: &[&str], message: impl Into<String>) -> DocumentProblem {
    let place = place.iter().map(ToString::to_string).collect();
    DocumentProblem { place, message: message.into() }
}

struct Importer<'a> {
    document: &'a Map<String, Value>,
    /// Its schemas are not quite JSON schemas.
    is_3_0: bool,
    /// Remaining bytes of the limit.
    left: usize,
}

impl<'a> Importer<'a> {
    fn event_type(
        &mut self,
        place: &[&str],
        key: &str,
        item: &'a Value,
    ) -> Result<DescribedEventType, DocumentProblem> {
        let item = self.resolve(place, item)?;
        let operation = METHODS.iter().find_map(|method| item.get(method));
        let operation = operation.ok_or_else(|| problem(place, "has no operation, as `post`"))?;
        let text = |value: &'a Value, field: &str| value.get(field).and_then(Value::as_str);
        let body = match operation.get("requestBody") {
            Some(body) => Some(self.resolve(place, body)?),
            None => None,
        };
        let description = text(operation, "description")
            .or_else(|| text(operation, "summary"))
            .or_else(|| text(body?, "description"))
            .or_else(|| text(item, "description"));
        let strings = |field| {
            let list = operation.get(field).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str)
        };
        let is_name = |text: &&str| text.parse::<EventTypeName>().is_ok();
        Ok(DescribedEventType {
            name: name(place, key, text(operation, "operationId"))?,
            description: description.unwrap_or_default().to_owned(),
            schema: body.and_then(schema_of).map(|it| self.complete(place, it)).transpose()?,
            deprecated: operation.get("deprecated").and_then(Value::as_bool).unwrap_or_default(),
            group_name: strings("tags").find(is_name).map(str::to_owned),
            feature_flags: strings(FEATURE_FLAGS).map(str::to_owned).collect(),
        })
    }

    /// The value, or the one in the document that it refers to.
    fn resolve(&self, place: &[&str], value: &'a Value) -> Result<&'a Value, DocumentProblem> {
        let mut value = value;
        for _ in 0..MAX_HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok(value);
            };
            value = self.referenced(reference).ok_or_else(|| unresolved(place, reference))?;
        }
        Err(problem(place, "refers to itself"))
    }

    fn referenced(&self, reference: &str) -> Option<&'a Value> {
        let mut parts = reference.strip_prefix("#/")?.split('/').map(unescape);
        let first = self.document.get(&parts.next()?)?;
        parts.try_fold(first, |value, part| match value {
            Value::Object(fields) => fields.get(&part),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// The schema with all components that it refers to in its `$defs`. If it only refers to a
    /// component, it is that component.
    fn complete(&mut self, place: &[&str], schema: &'a Value) -> Result<Value, DocumentProblem> {
        let (root, schema) = self.root(place, schema)?;
        let mut wanted = Wanted { root, names: BTreeSet::new() };
        let mut schema = self.copy(place, schema, &mut wanted)?;
        let mut definitions = Map::new();
        while let Some(name) =
            wanted.names.iter().find(|it| !definitions.contains_key(*it)).cloned()
        {
            let reference = format!("{COMPONENTS}{}", escape(&name));
            let found = self.referenced(&reference).ok_or_else(|| unresolved(place, &reference))?;
            let copy = self.copy(place, found, &mut wanted)?;
            definitions.insert(name, copy);
        }
        if self.is_3_0 {
            version_3_0::modernize(&mut schema);
            definitions.values_mut().for_each(version_3_0::modernize);
        }
        let Some(fields) = schema.as_object_mut().filter(|_| !definitions.is_empty()) else {
            return Ok(schema);
        };
        let own = fields.entry("$defs").or_insert_with(|| Map::new().into());
        let own = own.as_object_mut().ok_or_else(|| problem(place, "has invalid `$defs`"))?;
        for (name, definition) in definitions {
            if own.insert(name, definition).is_some() {
                return Err(problem(place, "has `$defs` with the name of a component"));
            }
        }
        Ok(schema)
    }

    /// The component that a schema consists of, if it is only a reference to one.
    fn root(
        &self,
        place: &[&str],
        schema: &'a Value,
    ) -> Result<(Option<String>, &'a Value), DocumentProblem> {
        let only = schema.as_object().filter(|fields| fields.len() == 1);
        let reference = only.and_then(|fields| fields.get("$ref")?.as_str());
        let name = reference.and_then(|it| it.strip_prefix(COMPONENTS));
        let Some(name) = name.filter(|it| !it.contains('/')) else { return Ok((None, schema)) };
        Ok((Some(unescape(name)), self.resolve(place, schema)?))
    }

    /// A copy that refers to `$defs` instead of components, whose names are added to `wanted`.
    fn copy(
        &mut self,
        place: &[&str],
        value: &Value,
        wanted: &mut Wanted,
    ) -> Result<Value, DocumentProblem> {
        self.take(place, value)?;
        Ok(match value {
            Value::Object(fields) => {
                let mut copy = Map::new();
                for (name, value) in fields {
                    let reference = value.as_str().filter(|_| name == "$ref");
                    let value = match reference.and_then(|it| it.strip_prefix(COMPONENTS)) {
                        Some(component) => wanted.reference(component).into(),
                        None => self.copy(place, value, wanted)?,
                    };
                    copy.insert(name.clone(), value);
                }
                Value::Object(copy)
            },
            Value::Array(items) => {
                let copies = items.iter().map(|it| self.copy(place, it, wanted));
                Value::Array(copies.collect::<Result<_, _>>()?)
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        })
    }

    /// Counts the bytes of the value without those of its fields and items.
    fn take(&mut self, place: &[&str], value: &Value) -> Result<(), DocumentProblem> {
        let bytes = match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 8,
            Value::String(text) => 2 + text.len(),
            Value::Array(items) => 2 + items.len(),
            Value::Object(fields) => 2 + fields.keys().map(|it| it.len() + 4).sum::<usize>(),
        };
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| {
            problem(place, "is too large with all that it refers to; import fewer webhooks at once")
        })?;
        Ok(())
    }
}

/// The components that a schema needs.
struct Wanted {
    /// The component that is the schema itself.
    root: Option<String>,
    names: BTreeSet<String>,
}

impl Wanted {
    /// The reference to a component, or to a part of one, within the schema.
    fn reference(&mut self, component: &str) -> String {
        let (name, rest) = match component.find('/') {
            Some(end) => component.split_at(end),
            None => (component, ""),
        };
        let plain = unescape(name);
        if self.root.as_ref() == Some(&plain) {
            return format!("#{rest}");
        }
        self.names.insert(plain);
        format!("#/$defs/{name}{rest}")
    }
}

fn unresolved(place: &[&str], reference: &str) -> DocumentProblem {
    problem(place, format!("refers to {reference}, which the document does not have"))
}

/// The key, or else the operation's id, if it is the name of an event type.
fn name(place: &[&str], key: &str, id: Option<&str>) -> Result<String, DocumentProblem> {
    let is_name = |it: &&str| it.parse::<EventTypeName>().is_ok();
    let found = [Some(key), id].into_iter().flatten().find(is_name);
    found.map(str::to_owned).ok_or_else(|| {
        problem(
            place,
            "is not the name of an event type, and its operation has no such `operationId`",
        )
    })
}

/// The schema of a body's JSON.
fn schema_of(body: &Value) -> Option<&Value> {
    let content = body.get("content")?.as_object()?;
    let json = content.get("application/json");
    let other = || content.iter().find(|(name, _)| name.contains("json")).map(|(_, it)| it);
    json.or_else(other)?.get("schema")
}

/// A part of a JSON pointer as it is written in one.
fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a literal is shorter than a reference to one"
    )]
    fn document(webhooks: Value) -> Map<String, Value> {
        let components = json!({
            "schemas": {
                "User": { "properties": { "team": { "$ref": "#/components/schemas/Team" } } },
                "Team": { "properties": { "lead": { "$ref": "#/components/schemas/User" } } },
            },
            "pathItems": { "hook": { "post": { "summary": "Shared" } } },
        });
        let document = json!({ "webhooks": webhooks, "components": components });
        document.as_object().expect("it is one").clone()
    }

    #[track_caller]
    fn check(webhooks: Value, expected: &[DescribedEventType]) {
        assert_eq!(import(&document(webhooks), 10_000).as_deref(), Ok(expected));
    }

    #[track_caller]
    fn refuse(webhooks: Value, place: &str, message: &str) {
        let problem = import(&document(webhooks), 10_000).expect_err("it is refused");
        assert_eq!(
            (problem.place.join("/"), problem.message.as_str()),
            (place.to_owned(), message)
        );
    }

    fn described(name: &str) -> DescribedEventType {
        DescribedEventType {
            name: name.to_owned(),
            description: String::new(),
            schema: None,
            deprecated: false,
            group_name: None,
            feature_flags: Vec::new(),
        }
    }

    #[test]
    fn every_webhook_becomes_an_event_type() {
        let body = json!({
            "description": "A pet",
            "content": { "application/json": { "schema": { "type": "object" } } },
        });
        let pet = json!({ "post": {
            "requestBody": body, "deprecated": true, "tags": ["not a name", "pets"],
            "x-feature-flags": ["beta"],
        } });
        check(
            json!({ "pet.new": pet }),
            &[DescribedEventType {
                description: "A pet".to_owned(),
                schema: Some(json!({ "type": "object" })),
                deprecated: true,
                group_name: Some("pets".to_owned()),
                feature_flags: vec!["beta".to_owned()],
                ..described("pet.new")
            }],
        );
        let named = json!({ "/not/a/name": { "put": { "operationId": "pet.old" } } });
        check(named, &[described("pet.old")]);
        check(
            json!({ "shared": { "$ref": "#/components/pathItems/hook" } }),
            &[DescribedEventType { description: "Shared".to_owned(), ..described("shared") }],
        );
    }

    #[test]
    fn schemas_contain_the_components_that_they_refer_to() {
        let schema = json!({ "$ref": "#/components/schemas/User" });
        let content = json!({ "application/vnd.a+json": { "schema": schema } });
        check(
            json!({ "a": { "post": { "requestBody": { "content": content } } } }),
            &[DescribedEventType {
                schema: Some(json!({
                    "properties": { "team": { "$ref": "#/$defs/Team" } },
                    "$defs": { "Team": { "properties": { "lead": { "$ref": "#" } } } },
                })),
                ..described("a")
            }],
        );
        let schema = json!({ "items": { "$ref": "#/components/schemas/User/properties/team" } });
        let content = json!({ "application/json": { "schema": schema } });
        check(
            json!({ "a": { "post": { "requestBody": { "content": content } } } }),
            &[DescribedEventType {
                schema: Some(json!({
                    "items": { "$ref": "#/$defs/User/properties/team" },
                    "$defs": {
                        "User": { "properties": { "team": { "$ref": "#/$defs/Team" } } },
                        "Team": { "properties": { "lead": { "$ref": "#/$defs/User" } } },
                    },
                })),
                ..described("a")
            }],
        );
    }

    fn callback(body: &Value) -> Value {
        let content = json!({ "application/json": { "schema": body } });
        json!({ "{$request.body#/url}": { "post": { "requestBody": { "content": content } } } })
    }

    #[test]
    fn callbacks_are_event_types_too() {
        let paid = callback(&json!({ "type": "string", "nullable": true }));
        let subscribe = json!({ "callbacks": { "order.paid": paid } });
        let document = json!({
            "openapi": "3.0.3",
            "paths": { "/a": { "post": subscribe }, "/b": { "put": subscribe, "summary": "B" } },
            "components": { "callbacks": { "order.sent": callback(&json!({})) } },
        });
        let document = document.as_object().expect("it is one");
        let expected = [
            DescribedEventType {
                schema: Some(json!({ "type": ["string", "null"] })),
                ..described("order.paid")
            },
            DescribedEventType { schema: Some(json!({})), ..described("order.sent") },
        ];
        assert_eq!(import(document, 10_000).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn problems_have_a_place() {
        refuse(json!({}), "", "has neither webhooks (`webhooks` or `x-webhooks`) nor callbacks");
        refuse(json!([]), "webhooks", "must be an object of webhooks by name");
        refuse(json!({ "a": {} }), "webhooks/a", "has no operation, as `post`");
        refuse(
            json!({ "a b": { "post": {} } }),
            "webhooks/a b",
            "is not the name of an event type, and its operation has no such `operationId`",
        );
        refuse(
            json!({ "a": { "$ref": "#/components/pathItems/none" } }),
            "webhooks/a",
            "refers to #/components/pathItems/none, which the document does not have",
        );
        refuse(json!({ "a": { "$ref": "#/webhooks/a" } }), "webhooks/a", "refers to itself");
        let schema = json!({ "const": "x".repeat(10_000) });
        let content = json!({ "application/json": { "schema": schema } });
        refuse(
            json!({ "a": { "post": { "requestBody": { "content": content } } } }),
            "webhooks/a",
            "is too large with all that it refers to; import fewer webhooks at once",
        );
    }
}
