//! A filter: an expression over messages.

use postrider::api::endpoint::MAX_FILTER;

use crate::filter::{
    error::{FilterError, Span},
    evaluate, parser,
    subject::Subject,
    tree::Node,
};

/// A filter that was checked. It is true or false for each message, or cannot be evaluated.
///
/// Time and memory are limited: a filter that takes too long for a message cannot be evaluated.
#[derive(Clone, Debug)]
pub struct Filter {
    text: Box<str>,
    root: Node,
}

/// Why a filter cannot be evaluated for a message. The message does not match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct EvaluationError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// For people; it contains no values of the payload, except those that should be numbers or
    /// times.
    pub reason: String,
}

impl Filter {
    /// Checks a filter.
    ///
    /// # Errors
    ///
    /// Fails if the text is too long or not an expression, uses unknown names, or would exceed a
    /// limit.
    pub fn new(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_FILTER {
            let message = format!("the filter has {} bytes; it can have {MAX_FILTER}", text.len());
            return Err(FilterError::new(text, Span::default(), message));
        }
        Ok(Self { text: text.into(), root: parser::parse(text)? })
    }

    /// Whether the message matches.
    ///
    /// # Errors
    ///
    /// Fails if the message does not have what the filter uses, for example a field.
    pub fn matches(&self, subject: &Subject<'_>) -> Result<bool, EvaluationError> {
        evaluate::is_true(&self.root, &self.text, subject).map_err(|failure| {
            let at = FilterError::new(&self.text, failure.at, failure.reason);
            EvaluationError { line: at.line, column: at.column, reason: at.message }
        })
    }
}
