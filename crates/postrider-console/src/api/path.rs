//! Paths of operations.

use std::fmt;

use http::Uri;

use crate::{query::Query, site};

/// The path of an operation with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct ApiPath {
    path: String,
    query: Query,
}

/// A path below `/api/v1`.
pub(crate) fn v1(segments: &[&str]) -> ApiPath {
    ApiPath { path: format!("/api/v1{}", site::join(segments)), query: Query::default() }
}

/// A path below `/ingest/api/v1`.
pub(crate) fn ingest(segments: &[&str]) -> ApiPath {
    ApiPath { path: format!("/ingest/api/v1{}", site::join(segments)), query: Query::default() }
}

impl ApiPath {
    /// Adds a parameter.
    #[must_use]
    pub(crate) fn with(self, name: &str, value: impl fmt::Display) -> Self {
        self.and(name, Some(value))
    }

    /// Adds a parameter if there is a value.
    #[must_use]
    pub(crate) fn and<T: fmt::Display>(mut self, name: &str, value: Option<T>) -> Self {
        self.query = self.query.and(name, value);
        self
    }

    pub(super) fn uri(&self) -> Uri {
        self.to_string().parse().expect("segments and parameters are encoded")
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.query.on(&self.path))
    }
}
