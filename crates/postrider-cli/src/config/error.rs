//! Errors of the configuration, and the origin of a value.

use std::{fmt, io, path::PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    Variable(String),
    /// A file that a variable names.
    SecretFile {
        variable: String,
        path: PathBuf,
    },
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::SecretFile { variable, path } => write!(f, "{variable} ({})", path.display()),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The configuration is invalid. Each message says where and what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{variable}: {} cannot be read", path.display())]
    UnreadableSecret { variable: String, path: PathBuf, source: io::Error },
    #[error("{variable} and {file_variable} are both set; remove one of them")]
    SetTwice { variable: String, file_variable: String },
    #[error("{}:{line}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{origin}: unknown key `{key}`{}", suggest(suggestion.as_ref()))]
    UnknownKey { key: String, origin: Source, suggestion: Option<String> },
    #[error("unknown variable {name}{}", suggest(suggestion.as_ref()))]
    UnknownVariable { name: String, suggestion: Option<String> },
    #[error("{origin}: `{key}` no longer exists; {instead}")]
    RemovedKey { key: String, origin: Source, instead: &'static str },
    #[error("{origin}: `{key}` is {value}, expected {expected}")]
    Value { key: String, origin: Source, value: String, expected: &'static str },
    #[error("{origin}: {entry}: {}{message}", field_prefix(field))]
    Entry { origin: Source, entry: String, field: String, message: String },
    #[error("--set {0}: expected KEY=VALUE")]
    NotAnAssignment(String),
}

fn field_prefix(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("`{field}`: ") }
}

fn suggest(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}
