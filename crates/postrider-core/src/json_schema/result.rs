//! What compiling a schema and checking a payload result in.

/// Most problems of a payload that are listed.
pub const MAX_PROBLEMS: usize = 20;

/// Most bytes of a problem's pointer and of its message.
const MAX_TEXT: usize = 256;

/// A place in a payload where it does not match its schema.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PayloadProblem {
    /// A JSON pointer; empty for the whole payload.
    pub pointer: String,
    /// What was expected. It contains no values of the payload.
    pub message: String,
}

impl PayloadProblem {
    pub(super) fn new(pointer: &str, message: &str) -> Self {
        Self { pointer: cut(pointer), message: cut(message) }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let is_boundary = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=MAX_TEXT).rev().find(is_boundary).unwrap_or_default();
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push('…');
    cut
}

/// The result of checking a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaCheck {
    Valid,
    /// At least one problem, and at most [`MAX_PROBLEMS`].
    Invalid(Vec<PayloadProblem>),
    /// The check was stopped, because it would have taken too long.
    TooExpensive,
}

/// Why payloads cannot be checked against a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("is not a valid JSON schema: {0}")]
    Invalid(String),
    #[error(
        "refers to {reference}, which is not a part of the schema; references to other documents \
         are never followed, so include it in `$defs`"
    )]
    Unresolved { reference: String },
    #[error("has a subschema that refers to itself without going into the payload: {reference}")]
    Endless { reference: String },
    #[error("has more than {limit} {what}; simplify the schema")]
    TooLarge { what: &'static str, limit: usize },
}

impl SchemaError {
    pub(super) fn unresolved(reference: &str) -> Self {
        Self::Unresolved { reference: cut(reference) }
    }

    pub(super) fn endless(reference: &str) -> Self {
        Self::Endless { reference: cut(reference) }
    }

    pub(super) fn invalid(pointer: &str, reason: &str) -> Self {
        let reason = cut(reason);
        Self::Invalid(match pointer {
            "" => reason,
            _ => format!("at {}: {reason}", cut(pointer)),
        })
    }
}
