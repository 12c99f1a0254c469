//! What a template sees of a message, with a limit on how often it can be visited.
//!
//! The library limits the steps of a template, but one step can compare or search whole values,
//! and a template can repeat that step for the largest part of a payload. Therefore every item of
//! a payload that is visited, by whatever operation, is counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use minijinja::{
    Value,
    value::{Enumerator, Object, ObjectRepr, Serde},
};
use serde::Serialize;
use serde_json::Value as Json;

use super::error::TemplateError;

/// Visits that every template has.
const VISITS: u64 = 100_000;

/// Visits in addition, for each item of the payload.
const VISITS_PER_ITEM: u64 = 4;

/// The visits that one rendering has left.
#[derive(Debug)]
struct Visits(AtomicU64);

impl Visits {
    /// Counts one more; `false` if there were too many.
    fn count(&self) -> bool {
        let left = |left: u64| left.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }
}

/// What templates see, by name. Many templates can be rendered with it, one after the other.
#[derive(Debug)]
pub struct Values {
    by_name: Value,
    allowed: u64,
    visits: Arc<Visits>,
}

impl Values {
    pub fn new(values: &impl Serialize) -> Result<Self, TemplateError> {
        let json = serde_json::to_value(values)
            .map_err(|error| TemplateError::of_message(format!("there are no values: {error}")))?;
        let allowed = VISITS + VISITS_PER_ITEM * count(&json);
        let visits = Arc::new(Visits(AtomicU64::new(allowed)));
        Ok(Self { by_name: value(&json, &visits), allowed, visits })
    }

    /// The values for another rendering, which may visit them as often as every other.
    pub(super) fn begin(&self) -> Value {
        self.visits.0.store(self.allowed, Ordering::Relaxed);
        self.by_name.clone()
    }

    /// Whether the rendering visited too many items.
    pub(super) fn are_exhausted(&self) -> bool {
        self.visits.0.load(Ordering::Relaxed) == 0
    }
}

/// Lists, objects and what they contain.
fn count(json: &Json) -> u64 {
    1 + match json {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(fields) => fields.values().map(count).sum::<u64>(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

fn value(json: &Json, visits: &Arc<Visits>) -> Value {
    match json {
        Json::Array(items) => {
            let items = items.iter().map(|item| value(item, visits)).collect();
            Value::from_object(List { items, visits: Arc::clone(visits) })
        },
        Json::Object(fields) => {
            let field =
                |(name, json): (&String, &Json)| (name.as_str().into(), value(json, visits));
            let fields = fields.iter().map(field).collect();
            Value::from_object(Fields { fields, visits: Arc::clone(visits) })
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Null | Json::Bool(_) | Json::Number(_) => Serde(json).into(),
    }
}

/// A list of the payload.
#[derive(Debug)]
struct List {
    items: Vec<Value>,
    visits: Arc<Visits>,
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let list = Arc::clone(self);
        let items = (0..self.items.len()).map(move |index| list.items.get(index).cloned());
        Enumerator::Iter(Box::new(Counted { items, visits: Arc::clone(&self.visits) }))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
}

/// An object of the payload.
#[derive(Debug)]
struct Fields {
    fields: Vec<(Arc<str>, Value)>,
    visits: Arc<Visits>,
}

impl Object for Fields {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        // JSON objects are sorted by name.
        let index = self.fields.binary_search_by(|(it, _)| (**it).cmp(name)).ok()?;
        self.fields.get(index).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let fields = Arc::clone(self);
        let name = move |index: usize| fields.fields.get(index).map(|it| Arc::clone(&it.0).into());
        let items = (0..self.fields.len()).map(name);
        Enumerator::Iter(Box::new(Counted { items, visits: Arc::clone(&self.visits) }))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// Ends early when there were too many visits. The result of the rendering is discarded then.
struct Counted<I> {
    items: I,
    visits: Arc<Visits>,
}

impl<I: Iterator<Item = Option<Value>>> Iterator for Counted<I> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        if !self.visits.count() {
            return None;
        }
        self.items.next().flatten()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}
