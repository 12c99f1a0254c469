//! JSON that borrows from its text.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer that is too large for [`Json::Int`].
    UInt(u64),
    Double(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// Sorted by key, each key once.
    Map(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// A map of these entries. Of those with equal keys, the last one counts.
    pub(super) fn map(mut entries: Vec<(Cow<'a, str>, Self)>) -> Self {
        if entries.is_sorted_by(|left, right| left.0 < right.0) {
            return Self::Map(entries);
        }
        entries.reverse();
        entries.sort_by(|left, right| left.0.cmp(&right.0));
        entries.dedup_by(|later, earlier| later.0 == earlier.0);
        Self::Map(entries)
    }

    /// A list of strings.
    pub(super) fn texts(texts: &'a [String]) -> Self {
        Self::List(texts.iter().map(|it| Self::Text(Cow::Borrowed(it))).collect())
    }
}

/// The value of a key.
pub(super) fn entry<'v, 'a>(
    entries: &'v [(Cow<'a, str>, Json<'a>)],
    key: &str,
) -> Option<&'v Json<'a>> {
    let index = entries.binary_search_by(|(it, _)| it.as_ref().cmp(key)).ok()?;
    entries.get(index).map(|(_, value)| value)
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// A string that borrows from the text unless it contains escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Json::UInt(value), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Double(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Text(key), value)) = items.next_entry()? {
            entries.push((key, value));
        }
        Ok(Json::map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_precision() {
        let parse = |text| serde_json::from_str::<Json<'_>>(text).unwrap();
        assert_eq!(parse("-9223372036854775808"), Json::Int(i64::MIN));
        assert_eq!(parse("18446744073709551615"), Json::UInt(u64::MAX));
        assert_eq!(parse("1.0"), Json::Double(1.0));
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let json: Json<'_> = serde_json::from_str(r#"{"b":1,"a":2,"b":3,"\u0061":4}"#).unwrap();
        let Json::Map(entries) = json else { panic!("a map") };
        assert_eq!(entries.len(), 2);
        assert_eq!(entry(&entries, "a"), Some(&Json::Int(4)));
        assert_eq!(entry(&entries, "b"), Some(&Json::Int(3)));
        assert_eq!(entry(&entries, "c"), None);
    }
}
