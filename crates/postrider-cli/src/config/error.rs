//! What can be wrong with a configuration, and where a value came from.

use std::{fmt, io, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The configuration cannot be used; each says what to change and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{origin}: there is no key `{key}`{}", suggest(suggestion.as_ref()))]
    UnknownKey { key: String, origin: Source, suggestion: Option<String> },
    #[error("there is no setting for the variable {name}{}", suggest(suggestion.as_ref()))]
    UnknownVariable { name: String, suggestion: Option<String> },
    #[error("{origin}: `{key}` is {value}, expected {expected}")]
    Value { key: String, origin: Source, value: String, expected: &'static str },
    #[error("--set {0}: expected KEY=VALUE")]
    NotAnAssignment(String),
}

fn suggest(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}
