//! What is run, and what comes of it.

use std::{fmt, sync::Arc};

use bytes::Bytes;

/// The source text of a script. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Arc<str>);

impl Script {
    pub fn new(code: impl Into<Arc<str>>) -> Self {
        Self(code.into())
    }

    pub fn code(&self) -> &str {
        &self.0
    }
}

/// One call of the function `handler` of a script.
#[derive(Clone, Debug)]
pub struct Run {
    /// The application. No worker process serves two owners, unless
    /// [`Isolation::Runtime`](crate::Isolation::Runtime) allows it.
    pub owner: u128,
    pub script: Script,
    /// JSON text of the argument of `handler`.
    pub argument: Bytes,
    /// Fields of the argument that the script cannot change; their values are frozen deeply.
    pub read_only: &'static [&'static str],
}

/// What `handler` returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// JSON text that `serde_json` can parse: nested at most 120 levels deep, without lone
    /// surrogates, and not larger than `output_bytes`.
    pub value: Bytes,
    /// The lines that the script wrote to `console`, up to `console_bytes`.
    pub console: String,
}

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    pub kind: RunErrorKind,
    /// A sentence for the author of the script; at most a few kilobytes.
    pub message: String,
    /// Where in the script, counted from 1, if that is known.
    pub line: Option<u32>,
    pub column: Option<u32>,
    /// What the script wrote to `console` before. Empty if the worker had to be killed.
    pub console: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunErrorKind {
    /// The script is not JavaScript.
    Syntax,
    /// The script does not define a function `handler`.
    NoHandler,
    /// The script threw a value, or its promise was rejected.
    Thrown,
    /// The script ran too long.
    Timeout,
    OutOfMemory,
    /// Too many nested calls, or a value that is nested too deeply to be read.
    StackOverflow,
    OutputTooLarge,
    /// JSON cannot express what `handler` returned: undefined, a function, a cycle, a `BigInt`, a
    /// promise that can never settle.
    NotJson,
    /// The worker process ended during the run, or violated the protocol.
    Crashed,
    /// Too many runs wait. Try again later.
    Busy,
    /// Scripts cannot be run: workers cannot be started or confined, or the sandbox was shut down.
    Unavailable,
}

impl RunErrorKind {
    /// Whether the script is the likely reason, so that running it again would end in the same way.
    /// On a machine that is overloaded, a correct script can end in [`Self::Timeout`] too.
    pub const fn is_fault_of_script(self) -> bool {
        match self {
            Self::Syntax
            | Self::NoHandler
            | Self::Thrown
            | Self::Timeout
            | Self::OutOfMemory
            | Self::StackOverflow
            | Self::OutputTooLarge
            | Self::NotJson
            | Self::Crashed => true,
            Self::Busy | Self::Unavailable => false,
        }
    }
}

impl RunError {
    pub(crate) fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), line: None, column: None, console: String::new() }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, " (line {line}, column {column})"),
            (Some(line), None) => write!(formatter, " (line {line})"),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for RunError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_it_is() {
        let mut error = RunError::new(RunErrorKind::Thrown, "TypeError: not a function");
        assert_eq!(error.to_string(), "TypeError: not a function");
        error.line = Some(3);
        assert_eq!(error.to_string(), "TypeError: not a function (line 3)");
        error.column = Some(7);
        assert_eq!(error.to_string(), "TypeError: not a function (line 3, column 7)");
    }
}
