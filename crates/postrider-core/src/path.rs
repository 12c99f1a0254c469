//! Paths to values in JSON: `payload.user.id`, `$.body.items[0]['unit price']`.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Most bytes of a path.
const MAX_PATH: usize = 512;

/// Most steps of a path.
const MAX_STEPS: usize = 32;

/// A path to a value: names of fields and positions in lists. `$` is the whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
    text: String,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Item(usize),
}

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("must be a path of 1 to {MAX_PATH} bytes")]
    Length,
    #[error("must be a path of at most {MAX_STEPS} steps")]
    Steps,
    #[error(
        "must be a path such as `$.user.id`, `$.items[0]` or `$['unit price']`; names with special \
         characters are in brackets and quotes"
    )]
    Syntax,
}

impl Path {
    /// Reads a path. The `$.` at its beginning may be missing.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if !(1..=MAX_PATH).contains(&text.len()) {
            return Err(PathError::Length);
        }
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or_default();
        if !text.starts_with('$') {
            let (first, after) = name(text).ok_or(PathError::Syntax)?;
            steps.push(first);
            rest = after;
        }
        while !rest.is_empty() {
            let (next, after) = step(rest).ok_or(PathError::Syntax)?;
            steps.push(next);
            rest = after;
        }
        if steps.len() > MAX_STEPS {
            return Err(PathError::Steps);
        }
        Ok(Self { steps, text: text.to_owned() })
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The first step and what follows it.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('.') {
        return name(rest);
    }
    let rest = text.strip_prefix('[')?;
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((Step::Field(name.to_owned()), after.strip_prefix(']')?));
        }
    }
    let (position, after) = rest.split_once(']')?;
    position.parse().ok().map(|position| (Step::Item(position), after))
}

/// A name without quotes, and what follows it.
fn name(text: &str) -> Option<(Step, &str)> {
    let (name, after) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    let is_name = !name.is_empty() && !name.contains([' ', '*', '?', '@', '\'', '"', ']']);
    is_name.then(|| (Step::Field(name.to_owned()), after))
}

/// The value that the steps lead to, as it was written. Numbers keep all their digits.
pub(crate) fn find<'a>(json: &'a RawValue, steps: &[Step]) -> Option<&'a RawValue> {
    steps.iter().try_fold(json, |value, step| {
        let mut deserializer = serde_json::Deserializer::from_str(value.get());
        StepSeed(step).deserialize(&mut deserializer).ok().flatten()
    })
}

/// Reads one value of an object or a list, and skips the others.
struct StepSeed<'a>(&'a Step);

impl<'de> DeserializeSeed<'de> for StepSeed<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            Step::Field(_) => deserializer.deserialize_map(self),
            Step::Item(_) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for StepSeed<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Step::Field(wanted) = self.0 else { return Ok(None) };
        let mut found = None;
        // Of two fields with the same name the last one counts, as in most parsers.
        while let Some(is_wanted) = map.next_key_seed(IsName(wanted))? {
            if is_wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Step::Item(wanted) = *self.0 else { return Ok(None) };
        for _ in 0..wanted {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Compares a key without copying it.
struct IsName<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"user":{"id":12345678901234567890123,"a.b":[1,[2,{"c":0.10}]],
        "n":null,"id2":"x"},"twice":1,"twice":2}"#;

    #[test]
    fn a_path_leads_to_the_value_as_it_was_written() {
        let cases = [
            ("user.id", Some("12345678901234567890123")),
            ("$.user.id", Some("12345678901234567890123")),
            ("$.user['a.b'][1][1].c", Some("0.10")),
            ("user[\"a.b\"][0]", Some("1")),
            ("user.n", Some("null")),
            (r#"$["user"]["id2"]"#, Some("\"x\"")),
            ("twice", Some("2")),
            ("user.missing", None),
            ("user.id.deeper", None),
            ("user[0]", None),
            ("user['a.b'].x", None),
            ("user['a.b'][2]", None),
        ];
        let json: &RawValue = serde_json::from_str(JSON).unwrap();
        for (path, expected) in cases {
            let path = Path::parse(path).unwrap();
            assert_eq!(find(json, path.steps()).map(RawValue::get), expected, "{path}");
        }
        assert_eq!(find(json, Path::parse("$").unwrap().steps()).unwrap().get(), JSON);
    }

    #[test]
    fn what_is_not_a_path_is_refused() {
        for wrong in [
            "a..b", "a.", "a[", "a[x]", "a['b]", "a['b'", "a[-1]", "$a", "$.", "a]b", "a.*", "a b",
            "['a']", ".a",
        ] {
            assert_eq!(Path::parse(wrong), Err(PathError::Syntax), "{wrong}");
        }
        for wrong in ["", &"a.".repeat(300)] {
            assert_eq!(Path::parse(wrong), Err(PathError::Length), "{wrong}");
        }
        assert_eq!(Path::parse(&vec!["a"; 33].join(".")), Err(PathError::Steps));
        assert!(Path::parse(&vec!["a"; 32].join(".")).is_ok());
    }
}
