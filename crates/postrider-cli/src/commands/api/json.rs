//! Pretty-prints JSON and keeps every value exactly as it was written.

use serde_json::value::RawValue;

/// Deeper levels are indented no further.
const MAX_INDENT: usize = 64;

/// Formats the value with one line per member and item.
pub(super) fn pretty(value: &RawValue) -> String {
    let mut printer = Printer { out: String::new(), depth: 0 };
    let mut rest = value.get();
    while let Some(letter) = rest.chars().next() {
        let length = if letter == '"' { string_length(rest) } else { letter.len_utf8() };
        let (token, after) = rest.split_at(length);
        printer.print(token);
        rest = after;
    }
    printer.out
}

/// Length in bytes of the string at the beginning, including its quotes.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    let is_end = |&(at, letter): &(usize, char)| {
        let is_end = at > 0 && letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        is_end
    };
    json.char_indices().find(is_end).map_or(json.len(), |(at, _)| at + 1)
}

struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn print(&mut self, token: &str) {
        match token {
            "{" | "[" => {
                self.value(token);
                self.depth += 1;
            },
            "}" | "]" => {
                self.depth = self.depth.saturating_sub(1);
                if !self.out.ends_with(['{', '[']) {
                    self.line();
                }
                self.out.push_str(token);
            },
            "," => self.out.push(','),
            ":" => self.out.push_str(": "),
            blank if blank.trim_ascii().is_empty() => {},
            _ => self.value(token),
        }
    }

    /// Prints a value, a name, or a part of a number or literal. The first one after a bracket or
    /// comma starts a new line.
    fn value(&mut self, token: &str) {
        if self.out.ends_with(['{', '[', ',']) {
            self.line();
        }
        self.out.push_str(token);
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(self.depth.min(MAX_INDENT)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        assert_eq!(pretty(serde_json::from_str(json).unwrap()), expected);
    }

    #[test]
    fn numbers_and_the_order_of_members_are_kept() {
        check(
            r#"{"b": 42.50,"a":[1e3 , 12345678901234567890123456, true]}"#,
            "{\n  \"b\": 42.50,\n  \"a\": [\n    1e3,\n    12345678901234567890123456,\n    true\n  ]\n}",
        );
    }

    #[test]
    fn the_format_is_that_of_serde_json() {
        for json in [
            r#"{"a":[],"b":{},"c":[{"d":null},[]],"e":"x"}"#,
            r#""a\"b,:{[\\""#,
            r#"{"a\\":"ends with [","b":"{","c":["[",","]}"#,
            "[]",
            "-1",
        ] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            check(json, &serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
