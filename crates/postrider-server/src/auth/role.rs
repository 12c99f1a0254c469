//! Roles of people: what a session may do.

use std::{fmt, str::FromStr};

use http::Method;

use crate::api::{error::ApiError, operation::Declaration};

/// A role. Each one includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees everything but secrets.
    Viewer,
    /// Also publishes messages.
    Publisher,
    /// Also changes what concerns deliveries.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// Whether the role may call an operation.
    pub(crate) fn check(self, declaration: &Declaration) -> Result<(), ApiError> {
        if self >= needed(&declaration.method, declaration.path, declaration.tag) {
            return Ok(());
        }
        Err(ApiError::Forbidden("your role does not allow this"))
    }
}

/// The lowest role that may call an operation.
fn needed(method: &Method, path: &str, tag: &str) -> Role {
    let shows_secrets = ["secret", "headers", "token", "access"].iter().any(|it| path.contains(it));
    let publishes = path.ends_with("/msg") || path.ends_with("/msg/batch");
    match tag {
        "Authentication" => Role::Admin,
        _ if shows_secrets => Role::Admin,
        _ if method.is_safe() => Role::Viewer,
        _ if publishes => Role::Publisher,
        _ => Role::Operator,
    }
}

const NAMES: [(&str, Role); 4] = [
    ("viewer", Role::Viewer),
    ("publisher", Role::Publisher),
    ("operator", Role::Operator),
    ("admin", Role::Admin),
];

/// The name is not that of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role; use viewer, publisher, operator or admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, role)| *role).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, role)| role == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}
