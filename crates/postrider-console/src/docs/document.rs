//! The `OpenAPI` document: its operations by topic, and what its references refer to.

use serde_json::Value;

use super::topic::{self, Topic};

/// The document.
#[derive(Debug)]
pub(super) struct Document {
    root: Value,
    operations: Vec<Operation>,
}

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its id, which is also its anchor.
    pub id: String,
    /// In capital letters.
    pub method: String,
    pub path: String,
    pub summary: String,
    pub topic: Topic,
}

impl Document {
    /// Reads a document, which the server has generated.
    pub(super) fn new(json: &str) -> Self {
        let root: Value = serde_json::from_str(json).expect("the document is JSON");
        let mut operations = Vec::new();
        for (path, methods) in entries(&root["paths"]) {
            for (method, it) in entries(methods) {
                operations.push(Operation {
                    id: text(&it["operationId"]).to_owned(),
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                    summary: text(&it["summary"]).to_owned(),
                    topic: topic::of(text(&it["tags"][0])),
                });
            }
        }
        operations.sort_by_cached_key(place);
        Self { root, operations }
    }

    pub(super) fn info(&self, name: &str) -> &str {
        text(&self.root["info"][name])
    }

    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The topics that have operations, in the order in which they are shown.
    pub(super) fn topics(&self) -> Vec<&Topic> {
        let mut topics: Vec<_> = self.operations.iter().map(|it| &it.topic).collect();
        topics.dedup_by_key(|it| it.slug.as_str());
        topics
    }

    /// The operations of a topic.
    pub(super) fn operations_of(&self, topic: &Topic) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|it| it.topic.slug == topic.slug)
    }

    /// What the document says about an operation.
    pub(super) fn definition(&self, operation: &Operation) -> &Value {
        &self.root["paths"][&operation.path][operation.method.to_ascii_lowercase()]
    }

    /// What a value represents, and its name: references are followed.
    pub(super) fn resolve<'a>(&'a self, value: &'a Value) -> (&'a Value, Option<&'a str>) {
        let Some(reference) = value["$ref"].as_str() else { return (value, None) };
        let found = reference.strip_prefix('#').and_then(|it| self.root.pointer(it));
        (found.unwrap_or(&Value::Null), reference.rsplit('/').next())
    }

    /// The schema with a name.
    pub(super) fn schema(&self, name: &str) -> &Value {
        &self.root["components"]["schemas"][name]
    }

    /// The example of a body.
    pub(super) fn example<'a>(&'a self, content: &'a Value) -> Option<&'a Value> {
        let (_, first) = entries(&content["examples"]).next()?;
        self.resolve(first).0.get("value")
    }

    /// The example of the schema with a name.
    pub(super) fn example_of(&self, schema: &str) -> Option<&Value> {
        self.root["components"]["examples"][schema].get("value")
    }

    /// Whether an operation needs a token.
    pub(super) fn needs_token(&self, definition: &Value) -> bool {
        let security = definition.get("security").unwrap_or(&self.root["security"]);
        security.as_array().is_some_and(|it| !it.is_empty())
    }
}

/// Operations that most readers look for, in the order in which a record lives.
const VERBS: [&str; 12] = [
    "create",
    "create-batch",
    "list",
    "get",
    "update",
    "upsert",
    "patch",
    "delete",
    "get-secret",
    "rotate-secret",
    "get-headers",
    "patch-headers",
];

/// The place of an operation: by its topic, and within it first those of the topic's records, then
/// those of parts of these, which have longer ids.
fn place(it: &Operation) -> (usize, String, usize, usize) {
    let verb = it.id.rsplit('.').next().unwrap_or_default();
    let verb = VERBS.iter().position(|known| *known == verb).unwrap_or(VERBS.len());
    (it.topic.rank, it.topic.slug.clone(), it.id.matches('.').count(), verb)
}

/// The entries of an object; none if it is another value.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The elements of an array; none if it is another value.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text; empty if it is another value.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The body in JSON of a request or a response.
pub(super) fn json_of(holder: &Value) -> Option<&Value> {
    holder["content"].get("application/json")
}
