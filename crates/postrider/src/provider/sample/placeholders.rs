//! Placeholders of samples: ids that are derived from a seed, and times.

use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::json;

/// The values of placeholders. `{{uuid}}` is the same value everywhere in one sample, `{{uuid.2}}`
/// is another one; a JSON string that consists of `{{int now}}` becomes a number.
pub(super) struct Placeholders<'a> {
    pub(super) event: &'a str,
    pub(super) seed: u64,
    pub(super) now_seconds: u64,
}

impl Placeholders<'_> {
    /// Fills the placeholders of a text.
    pub(super) fn fill(&self, text: &str) -> String {
        self.filled(text, |it| it)
    }

    /// Fills the placeholders of a JSON text and removes its whitespace.
    pub(super) fn fill_json(&self, text: &str) -> String {
        self.filled(&json::without_blanks(text), |it| json::escaped(&it))
    }

    fn filled(&self, text: &str, escape: impl Fn(String) -> String) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, (name, after))) =
            rest.split_once("{{").and_then(|(it, rest)| Some((it, rest.split_once("}}")?)))
        {
            out.push_str(before);
            rest = after;
            if let Some(name) = name.strip_prefix("int ") {
                // The quotes only make the template valid JSON.
                out.pop();
                rest = after.strip_prefix('"').unwrap_or(after);
                out.push_str(&self.value(name));
            } else {
                out.push_str(&escape(self.value(name)));
            }
        }
        out + rest
    }

    fn value(&self, name: &str) -> String {
        let (head, tail) = self.event.rsplit_once('.').unwrap_or(("", self.event));
        let seconds = i64::try_from(self.now_seconds).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        match name {
            "type" => self.event.to_owned(),
            "type.head" => head.to_owned(),
            "type.tail" => tail.to_owned(),
            "now" => self.now_seconds.to_string(),
            "now_ms" => self.now_seconds.saturating_mul(1000).to_string(),
            "time" => time.to_string(),
            "time_ms" => time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            "date_time" => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            _ => self.id(name),
        }
    }

    /// An id in the format that the first part of the name selects.
    fn id(&self, name: &str) -> String {
        let mut hash = Sha256::new_with_prefix(self.seed.to_be_bytes());
        hash.update(name);
        let hash = hash.finalize();
        let mut hex = String::new();
        for byte in hash {
            write!(hex, "{byte:02x}").expect("writing to a string does not fail");
        }
        let first = |count| hex.chars().take(count).collect::<String>();
        match name.split('.').next().unwrap_or_default() {
            "ID" => first(16).to_ascii_uppercase(),
            "id32" => first(32),
            "ulid" => format!("01{}", first(24).to_ascii_uppercase()),
            "digits" => {
                let number =
                    hash.iter().fold(0_u64, |it, byte| it.wrapping_mul(251) + u64::from(*byte));
                (1_000_000_000 + number % 9_000_000_000).to_string()
            },
            "uuid" => uuid(&hex),
            _ => first(24),
        }
    }
}

/// A version 4 UUID with these digits.
fn uuid(hex: &str) -> String {
    let mut digits = hex.chars();
    let mut part = |count: usize| digits.by_ref().take(count).collect::<String>();
    let [one, two, three, four, five] = [part(8), part(4), part(3), part(3), part(12)];
    format!("{one}-{two}-4{three}-a{four}-{five}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let placeholders = Placeholders { event: "a.b.c", seed: 1, now_seconds: 1_760_000_000 };
        assert_eq!(placeholders.fill_json(json), expected);
    }

    #[test]
    fn json_is_filled_and_compacted() {
        check(r#"{ "a b" : [ 1, "c \" } d" ] }"#, r#"{"a b":[1,"c \" } d"]}"#);
        check(
            r#"{ "t": "{{int now}}", "u": "{{now_ms}}!" }"#,
            r#"{"t":1760000000,"u":"1760000000000!"}"#,
        );
        check(r#"["{{type.head}}", "{{type.tail}}", "{{type}}"]"#, r#"["a.b","c","a.b.c"]"#);
        check(
            r#"["{{time}}", "{{time_ms}}", "{{date_time}}"]"#,
            r#"["2025-10-09T08:53:20Z","2025-10-09T08:53:20.000Z","2025-10-09 08:53:20"]"#,
        );
        check("{{", "{{");
    }

    #[test]
    fn ids_have_their_forms() {
        let placeholders = Placeholders { event: "", seed: 7, now_seconds: 0 };
        let lengths = ["id", "id.2", "ID", "id32", "ulid", "digits", "uuid"]
            .map(|it| placeholders.id(it).len());
        assert_eq!(lengths, [24, 24, 16, 32, 26, 10, 36]);
        assert_ne!(placeholders.id("id"), placeholders.id("id.2"));
    }
}
