//! The patterns of `matches`.

use regex::{Regex, RegexBuilder};

/// Sizes of compiled patterns in bytes, and the steps that a search with a pattern of at most this
/// size counts for each byte of a text. In the worst case, a search takes time in proportion to both.
const SIZES: [(usize, usize); 3] = [(2 << 10, 1), (8 << 10, 4), (32 << 10, 16)];

/// Most bytes that a search may remember between messages.
const MAX_CACHE: usize = 64 << 10;

/// Most levels of groups in a pattern.
const MAX_NESTING: u32 = 20;

/// A pattern with the syntax of RE2, as in other implementations of the language.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    steps_per_byte: usize,
}

impl Pattern {
    /// Compiles the pattern, or says what is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = ascii_classes(text);
        let mut result = Err(String::new());
        for (size, steps_per_byte) in SIZES {
            match compile(&text, size) {
                Ok(regex) => return Ok(Self { regex, steps_per_byte }),
                Err(error) => result = Err(reason(&error)),
            }
        }
        result
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What a search costs for each byte of the text.
    pub(super) const fn steps_per_byte(&self) -> usize {
        self.steps_per_byte
    }
}

fn compile(text: &str, size: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .size_limit(size)
        .dfa_size_limit(MAX_CACHE)
        .nest_limit(MAX_NESTING)
        .build()
}

fn reason(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(_) = error {
        return "the pattern is too large; repeat less or use shorter alternatives".to_owned();
    }
    // The first lines show the pattern, the last one the reason.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    format!("the pattern is not valid: {}", reason.trim_start_matches("error: "))
}

/// The pattern with classes like `\d` written out. In RE2 they contain only ASCII, and those of
/// Unicode would be too large.
fn ascii_classes(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => result.push_str("[0-9]"),
            Some('D') => result.push_str("[^0-9]"),
            Some('w') => result.push_str("[0-9A-Za-z_]"),
            Some('W') => result.push_str("[^0-9A-Za-z_]"),
            Some('s') => result.push_str(r"[\t\n\f\r ]"),
            Some('S') => result.push_str(r"[^\t\n\f\r ]"),
            Some('b') => result.push_str(r"(?-u:\b)"),
            Some('B') => result.push_str(r"(?-u:\B)"),
            other => {
                result.push('\\');
                result.extend(other);
            },
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).unwrap().is_in(text), expected, "{pattern} {text}");
    }

    #[test]
    fn patterns_match_anywhere_unless_anchored() {
        check("b+", "abba", true);
        check("^b+$", "abba", false);
        check(r"^[\w.-]+@example\.com$", "a.b-c@example.com", true);
        check(r"^[^\d]+$", "abc", true);
        check(r"\bpaid\b", "it is paid now", true);
        check(r"\bpaid\b", "it is repaid now", false);
        check("(?i)ÉTÉ", "été", true);
        check(r"^\d$", "٣", false);
        check("^.$", "é", true);
    }

    #[test]
    fn patterns_that_are_large_or_not_valid_are_refused() {
        let reason = |pattern: &str| Pattern::new(pattern).unwrap_err();
        assert!(reason("(a{100}){100}").contains("too large"));
        assert!(reason("(?:(?:(?:.{50}){50}){50}){50}").contains("too large"));
        assert_eq!(reason("a("), "the pattern is not valid: unclosed group");
        assert!(reason(&"(".repeat(500)).contains("not valid"));
        assert!(reason(r"(a)\1").contains("not valid"));
    }
}
