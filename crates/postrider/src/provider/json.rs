//! JSON as it was written. To the provider that signed them, ids and amounts are text, and a number
//! that passes through floating point changes: `42.50` becomes `42.5`, and ids of 25 digits become
//! equal. Values are therefore cut out of the text and never converted.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::selector::Step;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    Array,
    Object,
}

/// The kind of a value by its first character, which is enough for text that was parsed.
pub(super) fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b'"') => Kind::Text,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// The first of several documents, which are separated by whitespace only.
pub(super) fn first_document(bytes: &[u8]) -> Option<&RawValue> {
    serde_json::Deserializer::from_slice(bytes).into_iter().next()?.ok()
}

/// The only document.
pub(super) fn document(bytes: &[u8]) -> serde_json::Result<&RawValue> {
    serde_json::from_slice(bytes)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The content of a string.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Text(it)| it)
}

/// The content of a string, a number as it is written, or a boolean.
pub(super) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match kind(value) {
        Kind::Text => text(value),
        Kind::Number | Kind::Boolean => Some(Cow::Borrowed(value.get())),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// The content of a string, or any other value as compact JSON.
pub(super) fn shown(value: &RawValue) -> Cow<'_, str> {
    text(value).unwrap_or_else(|| Cow::Owned(without_blanks(value.get())))
}

/// The items of an array; empty for other values.
pub(super) fn items(value: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(value.get()).unwrap_or_default()
}

/// The members of an object in their order; none of anything else.
pub(super) fn members(value: &RawValue) -> Vec<(Cow<'_, str>, &RawValue)> {
    serde_json::from_str(value.get()).map_or_else(|_| Vec::new(), |Members(it)| it)
}

/// The member with this name; the last one, if there are several, as in most parsers.
pub(super) fn member<'v>(value: &'v RawValue, name: &str) -> Option<&'v RawValue> {
    members(value).into_iter().rev().find(|(it, _)| it == name).map(|(_, it)| it)
}

/// A name that two members of the object share. Parsers differ in which of them counts, so a
/// receiver could read another one than was verified.
pub(super) fn repeated(object: &RawValue) -> Option<String> {
    let mut names = HashSet::new();
    let mut members = members(object).into_iter();
    members.find(|(name, _)| !names.insert(name.clone())).map(|(name, _)| name.into_owned())
}

/// Whether an object on the path has the member more than once. Each visited value is charged to
/// the work budget; once that is exhausted, the path counts as ambiguous.
pub(super) fn is_ambiguous(
    value: &RawValue,
    steps: &[Step],
    charge: &impl Fn(&RawValue) -> Option<()>,
) -> bool {
    let Some((step, rest)) = steps.split_first() else { return false };
    if charge(value).is_none() {
        return true;
    }
    let name = match step {
        Step::Key(key) => key.clone(),
        Step::Index(index) => index.to_string(),
        Step::First => "N".to_owned(),
        Step::All => String::new(),
    };
    let is_all = *step == Step::All;
    let count = members(value).iter().filter(|(it, _)| !is_all && *it == name).count();
    count > 1 || take(value, step).into_iter().any(|it| is_ambiguous(it, rest, charge))
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) =
                    map.next_entry::<Text<'de>, &'de RawValue>()?
                {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The values that a step selects.
pub(super) fn take<'v>(value: &'v RawValue, step: &Step) -> Vec<&'v RawValue> {
    let one = |it: Option<&'v RawValue>| it.into_iter().collect();
    match (kind(value), step) {
        (Kind::Array, Step::All) => items(value),
        (Kind::Array, Step::First) => one(items(value).into_iter().next()),
        (Kind::Array, Step::Index(index)) => one(items(value).into_iter().nth(*index)),
        (Kind::Object, Step::Key(key)) => one(member(value, key)),
        (Kind::Object, Step::Index(index)) => one(member(value, &index.to_string())),
        (Kind::Object, Step::First) => one(member(value, "N")),
        _ => Vec::new(),
    }
}

/// All values that the path selects. Each visited value is charged to the work budget; once that
/// is exhausted, nothing more is found.
pub(super) fn follow<'v>(
    value: &'v RawValue,
    steps: &[Step],
    charge: impl Fn(&RawValue) -> Option<()>,
) -> Vec<&'v RawValue> {
    let visit = |value: &'v RawValue, step: &Step| charge(value).map(|()| take(value, step));
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|it| visit(it, step).unwrap_or_default()).collect();
    }
    found
}

/// All values that the path selects, if no branch of the path ends early.
pub(super) fn follow_all<'v>(
    value: &'v RawValue,
    steps: &[Step],
    charge: impl Fn(&RawValue) -> Option<()>,
) -> Option<Vec<&'v RawValue>> {
    let mut found = vec![value];
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            charge(value)?;
            let taken = take(value, step);
            if taken.is_empty() {
                return None;
            }
            next.extend(taken);
        }
        found = next;
    }
    Some(found)
}

/// Writes a JSON value to every location that the path selects. Missing objects are created, and
/// everything else keeps its spelling. `None` if the path selects no location.
pub(super) fn with(document: &RawValue, steps: &[Step], value: &str) -> Option<Box<RawValue>> {
    let mut text = String::with_capacity(document.get().len() + value.len());
    let written = write(document, steps, value, &mut text);
    (written > 0).then(|| RawValue::from_string(text).ok())?
}

/// The object with a member added or replaced.
pub(super) fn with_member(object: &RawValue, name: &str, value: &str) -> Option<Box<RawValue>> {
    with(object, &[Step::Key(name.to_owned())], value)
}

/// Encodes a string as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Encodes the content of a JSON string, without the quotes.
pub(super) fn escaped(text: &str) -> String {
    let quoted = quoted(text);
    let inside = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

/// Writes the document with the value, and returns how often the value was written.
fn write(document: &RawValue, steps: &[Step], value: &str, out: &mut String) -> usize {
    let Some((step, rest)) = steps.split_first() else {
        out.push_str(value);
        return 1;
    };
    match (kind(document), step) {
        (Kind::Array, Step::All | Step::First | Step::Index(_)) => {
            let is_meant = |index: usize| match step {
                Step::Index(wanted) => index == *wanted,
                Step::First => index == 0,
                Step::All | Step::Key(_) => true,
            };
            write_items(document, is_meant, rest, value, out)
        },
        (Kind::Object, Step::Key(key)) => write_member(document, key, rest, value, out),
        _ => {
            out.push_str(document.get());
            0
        },
    }
}

fn write_items(
    array: &RawValue,
    is_meant: impl Fn(usize) -> bool,
    rest: &[Step],
    value: &str,
    out: &mut String,
) -> usize {
    let mut written = 0;
    out.push('[');
    for (index, item) in items(array).into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if is_meant(index) {
            written += write(item, rest, value, out);
        } else {
            out.push_str(item.get());
        }
    }
    out.push(']');
    written
}

fn write_member(
    object: &RawValue,
    key: &str,
    rest: &[Step],
    value: &str,
    out: &mut String,
) -> usize {
    let (mut written, mut is_there) = (0, false);
    out.push('{');
    for (index, (name, member)) in members(object).into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&quoted(&name));
        out.push(':');
        if name == key {
            is_there = true;
            written += write(member, rest, value, out);
        } else {
            out.push_str(member.get());
        }
    }
    if !is_there {
        if !out.ends_with('{') {
            out.push(',');
        }
        out.push_str(&quoted(key));
        out.push(':');
        let empty = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        written += write(&empty, rest, value, out);
    }
    out.push('}');
    written
}

/// JSON without the whitespace between its parts.
pub(super) fn without_blanks(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |char: &char| {
        match (*char, escaped) {
            ('"', false) => in_string = !in_string,
            ('\\', false) => {
                escaped = true;
                return true;
            },
            _ => {},
        }
        escaped = false;
        in_string || !char.is_ascii_whitespace()
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::selector::Path, *};

    const DOCUMENT: &str = r#"{ "n": 12345678901234567890123456789, "m": 42.50, "e": 1e3, "huge": 1e999,
        "list": [{"id": 1.0}, {"id": "a\u00e4"}, {}], "n2": null, "twice": 1, "twice": 2, "o": {"0": "zero"} }"#;

    fn document() -> &'static RawValue {
        super::document(DOCUMENT.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let found = follow(document(), &Path::read(path).0, |_| Some(()));
        assert_eq!(found.into_iter().filter_map(scalar).collect::<Vec<_>>(), expected, "{path}");
    }

    #[test]
    fn values_are_found_as_they_are_written() {
        check("n", &["12345678901234567890123456789"]);
        check("m", &["42.50"]);
        check("e", &["1e3"]);
        check("huge", &["1e999"]);
        check("list.*.id", &["1.0", "a\u{e4}"]);
        check("list.N.id", &["1.0"]);
        check("list.1.id", &["a\u{e4}"]);
        check("o.0", &["zero"]);
        check("twice", &["2"]);
        check("n2", &[]);
        check("list", &[]);
        check("none.a", &[]);
    }

    #[test]
    fn a_path_that_ends_early_is_detected() {
        let all = |path: &str| {
            follow_all(document(), &Path::read(path).0, |_| Some(())).map(|it| it.len())
        };
        assert_eq!(all("list.*"), Some(3));
        assert_eq!(all("list.*.id"), None);
        assert_eq!(all("none"), None);
    }

    #[test]
    fn writing_a_value_keeps_the_rest_unchanged() {
        let with = |json: &str, path: &str| {
            let document = super::document(json.as_bytes()).unwrap();
            with(document, &Path::read(path).0, "7").map(|it| it.get().to_owned())
        };
        assert_eq!(with(r#"{"b": 1.50, "a": 2}"#, "a").unwrap(), r#"{"b":1.50,"a":7}"#);
        assert_eq!(with("{}", "a.b").unwrap(), r#"{"a":{"b":7}}"#);
        assert_eq!(with(r#"{"x":1e3}"#, "a").unwrap(), r#"{"x":1e3,"a":7}"#);
        assert_eq!(with(r#"[{},{ "a":0 }]"#, "*.a").unwrap(), r#"[{"a":7},{"a":7}]"#);
        assert_eq!(with("[1.0, 2]", "N").unwrap(), "[7,2]");
        assert_eq!(with("[1.0, 2]", "1").unwrap(), "[1.0,7]");
        assert_eq!(with("[]", "*"), None);
        assert_eq!(with("1.0", "a"), None);
    }

    #[test]
    fn deep_nesting_is_harmless() {
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        let document = super::document(deep.as_bytes()).unwrap();
        assert!(follow(document, &Path::read("0.0.a").0, |_| Some(())).is_empty());
    }
}
