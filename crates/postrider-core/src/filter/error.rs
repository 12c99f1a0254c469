//! Why a filter is not valid, and where.

/// A part of a filter's text, in bytes. A filter is short, so 16 bits are enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u16,
    pub end: u16,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset| u16::try_from(offset).unwrap_or(u16::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    /// From the beginning of this part to the end of the other one.
    pub(super) const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// The text of this part.
    pub(super) fn of(self, text: &str) -> &str {
        text.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

/// A filter that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FilterError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(text: &str, at: Span, message: impl Into<String>) -> Self {
        let before = text.get(..usize::from(at.start)).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            message: message.into(),
        }
    }
}

/// A problem in a part of the filter's text.
#[derive(Debug)]
pub(super) struct Problem {
    pub at: Span,
    pub message: String,
}

impl Problem {
    pub(super) fn new(at: Span, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_lines_and_characters() {
        let check = |text: &str, start, line, column| {
            let error = FilterError::new(text, Span::new(start, start), "wrong");
            assert_eq!((error.line, error.column), (line, column));
        };
        check("a", 0, 1, 1);
        check("é == b", 6, 1, 6);
        check("a &&\n b", 6, 2, 2);
    }
}
