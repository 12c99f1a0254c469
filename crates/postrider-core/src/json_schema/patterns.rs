//! The regular expressions of a schema: how many, how large, and how slow.

use std::collections::HashSet;

use serde_json::Value;

use super::result::SchemaError;

/// Most different patterns of a schema. Compiling a large one takes milliseconds.
const MAX_PATTERNS: usize = 64;

/// Most bytes of a pattern.
const MAX_LENGTH: usize = 1_000;

/// Most states of a pattern, as they are estimated.
const MAX_STATES: u64 = 10_000;

/// Most bytes that the compiled form of a pattern takes.
pub(super) const MAX_COMPILED: usize = 256 << 10;

/// States of a class of characters such as `\w`, of which there are hundreds of ranges.
const CLASS: u64 = 16;

/// Checks the patterns of the schemas, and returns what 16 bytes of a string cost.
pub(super) fn check<'a>(schemas: impl Iterator<Item = &'a Value>) -> Result<u64, SchemaError> {
    let patterns: HashSet<&str> = schemas.flat_map(patterns).collect();
    if patterns.len() > MAX_PATTERNS {
        return Err(SchemaError::TooLarge { what: "patterns", limit: MAX_PATTERNS });
    }
    let mut slowest = 0;
    for pattern in patterns {
        if pattern.len() > MAX_LENGTH {
            let what = "bytes in a pattern";
            return Err(SchemaError::TooLarge { what, limit: MAX_LENGTH });
        }
        let states = states(pattern);
        if states > MAX_STATES {
            let what = "states in a pattern; its repetitions are too large";
            return Err(SchemaError::TooLarge { what, limit: 10_000 });
        }
        slowest = slowest.max(states);
    }
    Ok(1 + slowest / 4)
}

fn patterns(schema: &Value) -> Vec<&str> {
    let own = schema.get("pattern").and_then(Value::as_str);
    let names = schema.get("patternProperties").and_then(Value::as_object);
    let names = names.into_iter().flat_map(|it| it.keys().map(String::as_str));
    own.into_iter().chain(names).collect()
}

/// About how many states an automaton of the pattern has: never much less than it really has.
/// Every counted repetition counts for the whole pattern, as if they were nested.
fn states(pattern: &str) -> u64 {
    let bytes = pattern.as_bytes();
    let (mut states, mut factor) = (0u64, 1u64);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        states += match byte {
            b'\\' | b'.' | b'[' => CLASS,
            _ => 1,
        };
        if *byte == b'{' {
            factor = factor.saturating_mul(count(bytes.get(at + 1..).unwrap_or_default()));
        }
        // What is escaped is part of the escape.
        at += if *byte == b'\\' { 2 } else { 1 };
    }
    states.saturating_mul(factor)
}

/// The larger number of a repetition such as `{2,5}`; 1 if it is none.
fn count(rest: &[u8]) -> u64 {
    let end = rest.iter().position(|it| *it == b'}').unwrap_or_default();
    let text = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
    let numbers = text.split(',').filter_map(|it| it.trim().parse().ok());
    numbers.max().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repetitions_multiply_the_states_of_a_pattern() {
        assert_eq!(states("^abc$"), 5);
        assert!((60..200).contains(&states("^[A-Z]{3}$")));
        assert!(states("(a{50}){50}") > 2_500);
        assert!(states("(((a{99}){99}){99}){99}") > MAX_STATES);
        // An escaped brace repeats nothing.
        assert!(states(r"\{99999\}") < 100);
    }

    #[test]
    fn patterns_that_are_large_or_many_are_refused() {
        let schema = |pattern: String| json!({ "properties": {}, "pattern": pattern });
        assert!(check([&schema("^[a-z]{1,64}$".to_owned())].into_iter()).is_ok());
        assert!(check([&schema("a".repeat(1_001))].into_iter()).is_err());
        assert!(check([&schema("(x{100}){101}".to_owned())].into_iter()).is_err());
        let many: Vec<_> = (0..65).map(|it| schema(format!("{it}"))).collect();
        assert!(check(many.iter()).is_err());
        // The same pattern counts once.
        let same: Vec<_> = (0..65).map(|_| schema("^a$".to_owned())).collect();
        assert!(check(same.iter()).is_ok());
    }
}
