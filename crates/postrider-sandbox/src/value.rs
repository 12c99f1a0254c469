//! Checks JSON text of an untrusted worker, so that everything that parses it later succeeds.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Levels of nested arrays and objects. `serde_json` parses at most 127.
const MAX_DEPTH: usize = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    NotJson,
    TooDeep,
}

/// The text, if it is JSON that is not nested too deeply. Replaces lone surrogates, which
/// JavaScript's strings may contain and UTF-8 cannot.
pub(crate) fn validate(text: &[u8]) -> Result<Bytes, Invalid> {
    let mut text = text.to_vec();
    replace_lone_surrogates(&mut text);
    if depth(&text) > MAX_DEPTH {
        return Err(Invalid::TooDeep);
    }
    serde_json::from_slice::<Parsed>(&text).map_err(|_| Invalid::NotJson)?;
    Ok(text.into())
}

/// The deepest nesting, if the text is JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            },
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {},
        }
    }
    deepest
}

/// Replaces escaped halves of surrogate pairs that stand alone by the replacement character.
fn replace_lone_surrogates(text: &mut [u8]) {
    let mut at = 0;
    // The last escape of invalid text may reach beyond the end.
    while let Some(offset) = text.get(at..).and_then(|rest| rest.iter().position(|it| *it == b'\\'))
    {
        at += offset;
        at += match (unit(text, at), unit(text, at + 6)) {
            (None, _) => 2,
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                text[at..at + 6].copy_from_slice(br"\ufffd");
                6
            },
            (Some(_), _) => 6,
        };
    }
}

/// The code unit that an escape at this place represents.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A value that is parsed completely, numbers and strings included, and not kept.
struct Parsed;

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Parsed {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, Invalid>) {
        let expected = expected.map(|it| Bytes::copy_from_slice(it.as_bytes()));
        assert_eq!(validate(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn json_stays_as_it_is() {
        for text in ["1", "null", r#""a\"\\""#, r#"{"a":[1,{"b":"[[{"}]}"#, r#""\ud83d\ude00""#] {
            check(text, Ok(text));
        }
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        check(r#""\ud83d""#, Ok(r#""\ufffd""#));
        check(r#""\ude00\ud83d""#, Ok(r#""\ufffd\ufffd""#));
        check(r#""\ud83d\ud83d\ude00""#, Ok(r#""\ufffd\ud83d\ude00""#));
        check(r#""\\ud83d""#, Ok(r#""\\ud83d""#));
    }

    #[test]
    fn other_text_is_rejected() {
        for text in ["", "{", "undefined", "1 2", "NaN", "\"\n\"", "1e999"] {
            check(text, Err(Invalid::NotJson));
        }
        assert_eq!(validate(b"\"\xff\""), Err(Invalid::NotJson));
    }

    #[test]
    fn deep_nesting_is_rejected() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        check(&nested(MAX_DEPTH), Ok(&nested(MAX_DEPTH)));
        check(&nested(MAX_DEPTH + 1), Err(Invalid::TooDeep));
        check(&nested(100_000), Err(Invalid::TooDeep));
    }

    proptest! {
        #[test]
        fn what_is_accepted_can_be_parsed(text in r#"(\[|\{|"|\\|\\u|d8|3d|de00|,|:|1|a|\]|\}){0,24}"#) {
            if let Ok(valid) = validate(text.as_bytes()) {
                serde_json::from_slice::<serde_json::Value>(&valid).unwrap();
            }
        }

        #[test]
        fn strings_of_any_code_units_can_be_parsed(units in prop::collection::vec(0xd700_u16.., 0..8)) {
            let escapes: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escapes = escapes.concat();
            let valid = validate(format!("\"{escapes}\"").as_bytes()).unwrap();
            let text: String = serde_json::from_slice(&valid).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
