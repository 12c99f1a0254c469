//! The fields in which two documents differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::document::Document;

/// Levels of a document that are compared field by field. Deeper values are compared as a whole.
const LEVELS: usize = 2;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// The names from the document to the field, with dots between them.
    pub field: String,
    /// The value before; `None` if there was none, or if it is secret.
    pub old: Option<Value>,
    /// The value after; `None` if there is none, or if it is secret.
    pub new: Option<Value>,
    pub is_secret: bool,
}

/// A value in both forms.
#[derive(Clone, Copy)]
struct Pair<'a> {
    plain: Option<&'a Value>,
    masked: Option<&'a Value>,
}

impl<'a> Pair<'a> {
    fn field(self, name: &str) -> Self {
        let of = |it: Option<&'a Value>| it.and_then(|it| it.get(name));
        Self { plain: of(self.plain), masked: of(self.masked) }
    }

    /// Whether there is no value, or one with fields.
    fn can_have_fields(self) -> bool {
        self.plain.is_none_or(Value::is_object)
    }

    fn names(self) -> impl Iterator<Item = &'a String> {
        self.plain.and_then(Value::as_object).into_iter().flat_map(Map::keys)
    }

    fn is_secret(self) -> bool {
        self.plain != self.masked
    }
}

/// The fields in which the documents differ, in the order of their names. Without an old document,
/// these are all fields.
pub fn differences(old: Option<&Document>, new: &Document) -> Vec<FieldChange> {
    let old = Pair { plain: old.map(|it| &it.plain), masked: old.map(|it| &it.masked) };
    let new = Pair { plain: Some(&new.plain), masked: Some(&new.masked) };
    let mut found = Vec::new();
    compare(String::new(), (old, new), LEVELS, &mut found);
    found
}

fn compare(
    field: String,
    (old, new): (Pair<'_>, Pair<'_>),
    levels: usize,
    found: &mut Vec<FieldChange>,
) {
    if old.plain == new.plain {
        return;
    }
    if levels > 0 && old.can_have_fields() && new.can_have_fields() {
        let names: BTreeSet<&String> = old.names().chain(new.names()).collect();
        // An empty object has no fields that could differ.
        if !names.is_empty() {
            for name in names {
                let path = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                compare(path, (old.field(name), new.field(name)), levels - 1, found);
            }
            return;
        }
    }
    let is_secret = old.is_secret() || new.is_secret();
    let shown = |it: Pair<'_>| it.plain.filter(|_| !is_secret).cloned();
    found.push(FieldChange { field, old: shown(old), new: shown(new), is_secret });
}
