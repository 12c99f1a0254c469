//! JSON whose every access is paid for, so that a check ends when its budget is exhausted.
//!
//! The library has no limit of its own. With nothing left, objects and arrays look empty, so that
//! the check goes no deeper and ends soon.

use std::{borrow::Cow, ops::ControlFlow};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object, SerdeJson},
};
use serde_json::{Map, Number, Value, map};

use super::meter::Meter;

/// JSON of which each access is counted.
#[derive(Debug)]
pub(super) struct MeteredJson;

/// A value in a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metered<'a> {
    value: &'a Value,
    depth: usize,
    /// `None` only for names of properties that the library makes itself.
    meter: Option<&'a Meter>,
}

impl<'a> Metered<'a> {
    pub(super) const fn new(value: &'a Value, meter: &'a Meter) -> Self {
        Self { value, depth: 0, meter: Some(meter) }
    }

    fn pay(&self, units: u64) -> bool {
        self.meter.is_none_or(|meter| meter.pay(units))
    }

    /// A value within this one, unless nothing is left.
    fn child(&self, value: &'a Value) -> Option<Self> {
        let depth = self.depth + 1;
        let may_enter = self.meter.is_none_or(|meter| meter.enter(depth));
        may_enter.then_some(Self { value, depth, meter: self.meter })
    }

    /// Pays for reading the whole value.
    fn pay_for_all(&self, value: &Value, factor: u64) -> bool {
        self.pay(factor)
            && match value {
                Value::Null | Value::Bool(_) | Value::Number(_) => true,
                Value::String(text) => self.pay(factor * (text.len() as u64 / 16)),
                Value::Array(items) => items.iter().all(|it| self.pay_for_all(it, factor)),
                Value::Object(members) => members.iter().all(|(name, it)| {
                    self.pay(factor * (name.len() as u64 / 16)) && self.pay_for_all(it, factor)
                }),
            }
    }

    /// Whether the values are equal, as far as the budget reaches.
    fn equals(&self, value: &Value, expected: &Value) -> bool {
        if !self.pay(1) {
            return false;
        }
        match (value, expected) {
            (Value::Array(items), Value::Array(expected)) => {
                items.len() == expected.len()
                    && items.iter().zip(expected).all(|(it, expected)| self.equals(it, expected))
            },
            (Value::Object(members), Value::Object(expected)) => {
                members.len() == expected.len()
                    && members.iter().zip(expected).all(|((name, it), (key, expected))| {
                        name == key && self.equals(it, expected)
                    })
            },
            (Value::String(text), Value::String(expected)) => {
                text.len() == expected.len() && self.pay(text.len() as u64 / 16) && text == expected
            },
            _ => Node::<SerdeJson>::equals_value(&value, expected),
        }
    }
}

impl Json for MeteredJson {
    type Node<'a> = Metered<'a>;
    type PreparedKey = String;
    type StringBuffer = Value;

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(
        buffer: &mut Value,
        string: &str,
        f: impl FnOnce(Metered<'_>) -> T,
    ) -> T {
        *buffer = Value::String(string.to_owned());
        f(Metered { value: buffer, depth: 0, meter: None })
    }
}

impl<'a> Node<'a, MeteredJson> for Metered<'a> {
    type Object = MeteredObject<'a>;
    type Array = MeteredArray<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<MeteredObject<'a>> {
        self.pay(1);
        self.value.as_object().map(|members| MeteredObject { node: *self, members })
    }

    fn as_array(&self) -> Option<MeteredArray<'a>> {
        self.pay(1);
        self.value.as_array().map(|items| MeteredArray { node: *self, items })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.value.as_str()?;
        let is_paid = self.meter.is_none_or(|meter| meter.pay_for_string(text));
        Some(Cow::Borrowed(if is_paid { text } else { "" }))
    }

    fn as_number(&self) -> Option<&'a Number> {
        self.pay(1);
        Node::<SerdeJson>::as_number(&self.value)
    }

    fn as_boolean(&self) -> Option<bool> {
        self.pay(1);
        self.value.as_bool()
    }

    fn is_null(&self) -> bool {
        self.pay(1);
        self.value.is_null()
    }

    fn is_number(&self) -> bool {
        self.pay(1);
        self.value.is_number()
    }

    fn json_type(&self) -> JsonType {
        self.pay(1);
        Node::<SerdeJson>::json_type(&self.value)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        self.equals(self.value, expected)
    }

    /// Called for problems, so it is paid for as one.
    fn to_value(&self) -> Cow<'a, Value> {
        const NOTHING: &Value = &Value::Null;
        let is_paid = self.meter.is_none_or(Meter::pay_for_problem);
        Cow::Borrowed(if is_paid { self.value } else { NOTHING })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value).addr()))
    }
}

/// An object in a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeteredObject<'a> {
    node: Metered<'a>,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a, MeteredJson> for MeteredObject<'a> {
    type Node = Metered<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn get(&self, key: &String) -> Option<Metered<'a>> {
        if !self.node.pay(1) {
            return None;
        }
        self.node.child(self.members.get(key.as_str())?)
    }

    fn members(&self) -> Members<'a> {
        Members { node: self.node, rest: self.members.iter() }
    }

    fn try_for_each_name_node<B>(
        &self,
        buffer: &mut Value,
        mut f: impl FnMut(Metered<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for name in self.members.keys() {
            if !self.node.pay(1) {
                break;
            }
            *buffer = Value::String(name.clone());
            f(Metered { value: buffer, depth: self.node.depth + 1, meter: self.node.meter })?;
        }
        ControlFlow::Continue(())
    }
}

/// The members of an object, until nothing is left.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    node: Metered<'a>,
    rest: map::Iter<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Metered<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.rest.next()?;
        let is_paid = self.node.meter.is_none_or(|meter| meter.pay_for_string(name));
        let child = self.node.child(value).filter(|_| is_paid)?;
        Some((name.as_str(), child))
    }
}

/// An array in a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct MeteredArray<'a> {
    node: Metered<'a>,
    items: &'a [Value],
}

impl<'a> Array<'a, MeteredJson> for MeteredArray<'a> {
    type Node = Metered<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.items.len()
    }

    fn elements(&self) -> Elements<'a> {
        Elements { node: self.node, rest: self.items.iter() }
    }

    /// The library compares all items of a short array with one another, and hashes those of a
    /// longer one.
    fn is_unique(&self) -> bool {
        const COMPARED: usize = 15;
        let factor = if self.items.len() <= COMPARED { COMPARED as u64 } else { 4 };
        self.items.iter().all(|it| self.node.pay_for_all(it, factor))
            && Array::<SerdeJson>::is_unique(&self.items)
    }
}

/// The items of an array, until nothing is left.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    node: Metered<'a>,
    rest: std::slice::Iter<'a, Value>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Metered<'a>;

    fn next(&mut self) -> Option<Metered<'a>> {
        let value = self.rest.next()?;
        self.node.child(value)
    }
}
