//! Which subschemas a schema has, and what references in it lead to.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::result::SchemaError;

/// Most subschemas, those of definitions included.
const MAX_SUBSCHEMAS: usize = 5_000;

/// How deep subschemas may be nested.
const MAX_NESTING: usize = 48;

/// A subschema, and the schema with an `$id` that it is part of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subschema<'a> {
    pub schema: &'a Value,
    pub resource: &'a Value,
}

/// All subschemas of a schema, and their names.
#[derive(Debug)]
pub(super) struct References<'a> {
    pub all: Vec<Subschema<'a>>,
    ids: HashMap<&'a str, Subschema<'a>>,
    anchors: HashMap<&'a str, Vec<Subschema<'a>>>,
    /// Resources by address, because a pointer can lead into another one.
    resources: HashMap<*const Value, &'a Value>,
}

impl<'a> References<'a> {
    pub(super) fn new(root: &'a Value) -> Result<Self, SchemaError> {
        let mut references = Self {
            all: Vec::new(),
            ids: HashMap::new(),
            anchors: HashMap::new(),
            resources: HashMap::new(),
        };
        references.add(Subschema { schema: root, resource: root }, 0)?;
        Ok(references)
    }

    fn add(&mut self, subschema: Subschema<'a>, depth: usize) -> Result<(), SchemaError> {
        let Some(fields) = subschema.schema.as_object() else { return Ok(()) };
        if depth > MAX_NESTING {
            return Err(SchemaError::TooLarge { what: "levels of subschemas", limit: MAX_NESTING });
        }
        if self.all.len() >= MAX_SUBSCHEMAS {
            return Err(SchemaError::TooLarge { what: "subschemas", limit: MAX_SUBSCHEMAS });
        }
        let subschema = self.name(subschema, fields);
        self.all.push(subschema);
        self.resources.insert(subschema.schema, subschema.resource);
        let Subschema { resource, .. } = subschema;
        for (keyword, value) in fields {
            for schema in subschemas(keyword, value) {
                self.add(Subschema { schema, resource }, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Notes the names of the subschema, which may begin a resource.
    fn name(
        &mut self,
        mut subschema: Subschema<'a>,
        fields: &'a Map<String, Value>,
    ) -> Subschema<'a> {
        let id = ["$id", "id"].into_iter().find_map(|it| fields.get(it)?.as_str());
        match id.map(|id| (id, id.strip_prefix('#'))) {
            Some((_, Some(anchor))) => {
                self.anchors.entry(anchor).or_default().push(subschema);
            },
            Some((id, None)) => {
                subschema.resource = subschema.schema;
                self.ids.insert(id.trim_end_matches('#'), subschema);
            },
            None => {},
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = fields.get(keyword).and_then(Value::as_str) {
                self.anchors.entry(anchor).or_default().push(subschema);
            }
        }
        subschema
    }

    /// What a reference may lead to: at least one subschema.
    pub(super) fn targets(
        &self,
        from: Subschema<'a>,
        reference: &str,
    ) -> Result<Vec<Subschema<'a>>, SchemaError> {
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let unresolved = || SchemaError::unresolved(reference);
        let resource =
            if uri.is_empty() { from.resource } else { self.by_id(uri).ok_or_else(unresolved)? };
        let fragment = percent_encoding::percent_decode_str(fragment).decode_utf8_lossy();
        if fragment.is_empty() || fragment.starts_with('/') {
            let schema = resource.pointer(&fragment).ok_or_else(unresolved)?;
            let resource = self.resources.get(&std::ptr::from_ref(schema)).unwrap_or(&resource);
            return Ok(vec![Subschema { schema, resource }]);
        }
        self.anchors.get(&*fragment).cloned().ok_or_else(unresolved)
    }

    /// The resource with this id, which may be relative.
    fn by_id(&self, uri: &str) -> Option<&'a Value> {
        if let Some(found) = self.ids.get(uri) {
            return Some(found.schema);
        }
        let is_end = |id: &str| id.strip_suffix(uri).is_some_and(|rest| rest.ends_with('/'));
        let mut found = self.ids.iter().filter(|(id, _)| is_end(id));
        match (found.next(), found.next()) {
            (Some((_, one)), None) => Some(one.schema),
            _ => None,
        }
    }
}

/// The subschemas that are in the value of a keyword.
fn subschemas<'a>(keyword: &str, value: &'a Value) -> Vec<&'a Value> {
    // Values, of which none is a schema.
    if matches!(keyword, "const" | "default" | "enum" | "example" | "examples") {
        return Vec::new();
    }
    match (keyword, value) {
        (
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
            | "dependencies",
            Value::Object(schemas),
        ) => schemas.values().collect(),
        (_, Value::Object(_)) => vec![value],
        (_, Value::Array(items)) => items.iter().collect(),
        (_, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => Vec::new(),
    }
}
