//! Exported records as files: references in place of secrets, endpoints within what they belong
//! to, and YAML.

use std::collections::BTreeMap;

use postrider::api::declaration::DeclaredKind;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::kind::MASK;

/// Replaces masks with references to variables of the environment, whose names come from the
/// record.
#[derive(Debug, Default)]
pub struct References {
    /// How often a name was used.
    names: BTreeMap<String, usize>,
}

impl References {
    /// The record with references.
    pub fn replace(
        &mut self,
        kind: DeclaredKind,
        record: Map<String, Value>,
    ) -> Map<String, Value> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let parent =
            text("application").or(text("source")).filter(|_| kind == DeclaredKind::Endpoint);
        let own = text("uid").or(text("name")).unwrap_or_default();
        let path: Vec<String> = parent.into_iter().chain([own]).map(str::to_owned).collect();
        match self.value(&path, Value::Object(record)) {
            Value::Object(record) => record,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                unreachable!("an object stays one")
            },
        }
    }

    fn value(&mut self, path: &[String], value: Value) -> Value {
        let within = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
        match value {
            Value::String(text) if text == MASK => {
                Value::Object(Map::from_iter([("env".to_owned(), self.name(path).into())]))
            },
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(
                    items.map(|(index, it)| self.value(&within(&index.to_string()), it)).collect(),
                )
            },
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, it)| {
                    let path = within(&name);
                    (name, self.value(&path, it))
                });
                Value::Object(fields.collect())
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn name(&mut self, path: &[String]) -> String {
        let mark =
            |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
        let parts: Vec<String> = path.iter().map(|it| it.chars().map(mark).collect()).collect();
        let name = format!("POSTRIDER_{}", parts.join("_"));
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{count}") }
    }
}

/// Moves endpoints into the applications or sources that they belong to. Those whose owner is not
/// in the lists stay.
pub fn nest(lists: &mut BTreeMap<DeclaredKind, Vec<Map<String, Value>>>) {
    let endpoints = lists.remove(&DeclaredKind::Endpoint).unwrap_or_default();
    let mut rest = Vec::new();
    for mut endpoint in endpoints {
        let owner = [("application", DeclaredKind::Application), ("source", DeclaredKind::Source)];
        let owner = owner
            .into_iter()
            .find_map(|(field, kind)| Some((field, kind, endpoint.get(field)?.clone())));
        let found = owner.as_ref().and_then(|(_, kind, uid)| {
            lists.get_mut(kind)?.iter_mut().find(|it| it.get("uid") == Some(uid))
        });
        match (found, owner) {
            (Some(found), Some((field, ..))) => {
                endpoint.remove(field);
                let list = found
                    .entry(DeclaredKind::Endpoint.list())
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(Value::Object(endpoint));
                }
            },
            _ => rest.push(endpoint),
        }
    }
    if !rest.is_empty() {
        lists.insert(DeclaredKind::Endpoint, rest);
    }
}

/// Maximum length of a line: longer texts would be folded at it.
const NEVER_FOLDED: usize = usize::MAX;

/// The value as YAML. Texts of several lines are written line by line.
pub fn yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: false,
        folded_wrap_chars: NEVER_FOLDED,
    };
    serde_saphyr::to_string_with_options(&InOrder(value), options)
        .expect("every JSON value can be written as YAML")
}

/// A value whose fields are in the order that readers expect.
struct InOrder<'a>(&'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer
                .collect_map(in_order(fields).into_iter().map(|(name, it)| (name, Self(it)))),
            Value::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                other.serialize(serializer)
            },
        }
    }
}

/// The fields with those that say which record it is at the beginning, and its endpoints at the
/// end.
fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 7] = ["uid", "name", "application", "source", "type", "kind", "url"];
    let rank = |name: &str| match FIRST.iter().position(|it| *it == name) {
        Some(position) => position,
        None if name == DeclaredKind::Endpoint.list() => FIRST.len() + 1,
        None => FIRST.len(),
    };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    fields
}
