//! Which fields a body may have, from the schema of its type. The types themselves cannot refuse
//! unknown fields, because serde does not support that together with `flatten`.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::api::{
    problem_list::{ProblemList, item},
    suggest,
};

/// The schema extension that names the fields that clients of the hosted API send and that have no
/// effect here.
const IGNORED: &str = "x-ignored";

/// Maximum depth to which schemas are followed. Below it, all fields are allowed.
const MAX_DEPTH: usize = 16;

/// The fields that a value may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Any value.
    #[default]
    Any,
    /// These fields.
    Object(BTreeMap<String, Self>),
    /// Any fields, with values like this.
    Map(Box<Self>),
    /// Items like this.
    List(Box<Self>),
}

impl Shape {
    /// No fields.
    pub(crate) const NOTHING: Self = Self::Object(BTreeMap::new());

    /// The shape that a schema describes. `definitions` are the schemas that it can refer to.
    pub(crate) fn of(schema: &Value, definitions: &Map<String, Value>) -> Self {
        Self::at(schema, definitions, MAX_DEPTH)
    }

    fn at(schema: &Value, definitions: &Map<String, Value>, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Any };
        let child = |schema| Self::at(schema, definitions, depth);
        if let Some(name) = schema["$ref"].as_str().and_then(|it| it.rsplit('/').next()) {
            return definitions.get(name).map(child).unwrap_or_default();
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let is_value = |it: &&Value| it["type"] != "null";
            return choices.iter().find(is_value).map(child).unwrap_or_default();
        }
        if let Some(items) = schema.get("items") {
            return Self::List(Box::new(child(items)));
        }
        match (schema["properties"].as_object(), schema.get("additionalProperties")) {
            (Some(properties), None | Some(Value::Bool(false))) => {
                let ignored = schema[IGNORED].as_array().into_iter().flatten();
                let ignored = ignored.filter_map(Value::as_str);
                let fields = properties.iter().map(|(name, it)| (name.clone(), child(it)));
                Self::Object(
                    fields.chain(ignored.map(|name| (name.to_owned(), Self::Any))).collect(),
                )
            },
            (None, Some(values @ Value::Object(_))) => Self::Map(Box::new(child(values))),
            _ => Self::Any,
        }
    }

    /// The shape of a field.
    pub(crate) fn field(&self, name: &str) -> &Self {
        match self {
            Self::Object(fields) => fields.get(name).unwrap_or(&Self::Any),
            Self::Map(values) => values,
            Self::Any | Self::List(_) => &Self::Any,
        }
    }

    /// The shape of the items of a list.
    pub(crate) fn items(&self) -> &Self {
        match self {
            Self::List(items) => items,
            Self::Any | Self::Object(_) | Self::Map(_) => &Self::Any,
        }
    }

    /// The same fields, with any values.
    pub(crate) fn shallow(&self) -> Self {
        match self {
            Self::Object(fields) => {
                Self::Object(fields.keys().map(|name| (name.clone(), Self::Any)).collect())
            },
            Self::Any | Self::Map(_) | Self::List(_) => Self::Any,
        }
    }

    /// The fields of the JSON text that the shape does not have; none if the text is not JSON.
    pub(crate) fn unknown_fields(&self, json: &[u8]) -> ProblemList {
        let (mut place, mut found) = (Vec::new(), ProblemList::default());
        let walk = UnknownFieldWalk { shape: self, place: &mut place, found: &mut found };
        let mut parser = serde_json::Deserializer::from_slice(json);
        match walk.deserialize(&mut parser).and_then(|()| parser.end()) {
            Ok(()) => found,
            Err(_) => ProblemList::default(),
        }
    }
}

/// One step of the path to a value.
#[derive(Debug)]
enum Step<'de> {
    Field(Cow<'de, str>),
    Item(usize),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Item(index) => write!(f, "{index}"),
        }
    }
}

/// Walks through a value once, and collects only the unknown fields.
struct UnknownFieldWalk<'a, 'de> {
    shape: &'a Shape,
    place: &'a mut Vec<Step<'de>>,
    found: &'a mut ProblemList,
}

impl<'de> UnknownFieldWalk<'_, 'de> {
    fn child<'b>(&'b mut self, shape: &'b Shape, step: Step<'de>) -> UnknownFieldWalk<'b, 'de> {
        self.place.push(step);
        UnknownFieldWalk { shape, place: self.place, found: self.found }
    }

    fn report(&mut self, name: &str, known: &BTreeMap<String, Shape>) {
        let place = &self.place;
        self.found.add(|| {
            let above: Vec<_> = place.iter().map(ToString::to_string).collect();
            let above = above.iter().map(String::as_str);
            let place: Vec<_> = ["body"].into_iter().chain(above).chain([name]).collect();
            let known = known.keys().map(String::as_str);
            let message = suggest::with_suggestions("is not a known field", name, known, "");
            item(&place, message, "value_error.extra")
        });
    }
}

impl<'de> DeserializeSeed<'de> for UnknownFieldWalk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Any => deserializer.deserialize_ignored_any(IgnoredAny).map(drop),
            Shape::Object(_) | Shape::Map(_) | Shape::List(_) => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for UnknownFieldWalk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let shape = match self.shape {
                Shape::Object(fields) => fields.get(&*name),
                Shape::Map(values) => Some(&**values),
                Shape::Any | Shape::List(_) => Some(&Shape::Any),
            };
            if let (None, Shape::Object(fields)) = (shape, self.shape) {
                self.report(&name, fields);
            }
            match shape.unwrap_or(&Shape::Any) {
                Shape::Any => drop(map.next_value::<IgnoredAny>()?),
                shape @ (Shape::Object(_) | Shape::Map(_) | Shape::List(_)) => {
                    map.next_value_seed(self.child(shape, Step::Field(name)))?;
                    self.place.pop();
                },
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let shape = self.shape.items();
        for index in 0_usize.. {
            let more = items.next_element_seed(self.child(shape, Step::Item(index)))?;
            self.place.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        let schema = json!({
            "properties": {
                "name": { "type": "string" },
                "inner": { "anyOf": [{ "$ref": "#/$defs/Inner" }, { "type": "null" }] },
                "list": { "type": "array", "items": { "$ref": "#/$defs/Inner" } },
                "map": { "additionalProperties": { "$ref": "#/$defs/Inner" } },
                "free": { "type": "object", "additionalProperties": true },
                "open": { "properties": { "a": {} }, "additionalProperties": true },
            },
            "x-ignored": ["version"],
        });
        let inner = json!({ "properties": { "key": { "type": "string" } } });
        Shape::of(&schema, &Map::from_iter([("Inner".to_owned(), inner)]))
    }

    #[track_caller]
    fn check(json: &Value, expected: &[&str]) {
        let found = shape().unknown_fields(json.to_string().as_bytes()).into_items();
        let places: Vec<_> = found.iter().map(|it| it.loc.join(".")).collect();
        assert_eq!(places, expected, "{json}");
    }

    #[test]
    fn fields_are_known_by_their_schema() {
        check(&json!({ "name": "a", "inner": { "key": "k" }, "list": [{ "key": "k" }] }), &[]);
        check(&json!({ "inner": null, "list": null, "version": { "any": 1 } }), &[]);
        check(&json!({ "free": { "x": { "y": 1 } }, "open": { "b": 1 }, "map": { "m": {} } }), &[]);
        check(&json!({ "inner": "a text", "list": "another", "name": { "x": 1 } }), &[]);
        check(&json!({ "nmae": 1, "other": {} }), &["body.nmae", "body.other"]);
        check(&json!({ "inner": { "kye": 1 } }), &["body.inner.kye"]);
        check(&json!({ "list": [{ "key": 1 }, { "kye": 1 }] }), &["body.list.1.kye"]);
        check(&json!({ "map": { "m": { "kye": [1.5, -1, true] } } }), &["body.map.m.kye"]);
    }

    #[test]
    fn the_nearest_field_is_offered() {
        let found = shape().unknown_fields(br#"{"nmae": 1, "zzz": 2}"#).into_items();
        assert_eq!(found[0].msg, "is not a known field; did you mean name?");
        assert_eq!(found[1].msg, "is not a known field");
    }

    #[test]
    fn text_that_is_not_json_has_no_fields() {
        for text in ["", "{", r#"{"nmae":1"#, r#"{"nmae":1}}"#, "a=b"] {
            assert!(shape().unknown_fields(text.as_bytes()).is_empty(), "{text}");
        }
        assert!(Shape::NOTHING.unknown_fields(b"{}").is_empty());
        assert!(!Shape::NOTHING.unknown_fields(br#"{"a":1}"#).is_empty());
    }

    #[test]
    fn only_the_first_unknown_fields_are_named() {
        let fields: Vec<_> = (0..98_000).map(|it| format!(r#""f{it}":0"#)).collect();
        let json = format!("{{{}}}", fields.join(","));
        let found = shape().unknown_fields(json.as_bytes()).into_items();
        assert_eq!(found.len(), 21);
        assert_eq!(found[20].msg, "97980 more problems are not listed");
    }
}
