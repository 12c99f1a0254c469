//! Error responses.

use serde::{Deserialize, Serialize};

/// Why a request failed. Clients read both fields of every error except 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorOut {
    /// An error code for programs, such as `not_found`.
    pub code: String,
    /// An explanation for people.
    pub detail: String,
}

/// The problems of an invalid request; the body of a 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidationErrorOut {
    /// The problems.
    pub detail: Vec<ValidationItem>,
}

/// A problem of an invalid request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidationItem {
    /// The location: `body`, `query` or `path`, followed by the names of the fields. An index of a
    /// list is text, because clients require texts.
    pub loc: Vec<String>,
    /// An explanation for people.
    pub msg: String,
    /// An error code for programs, such as `value_error`.
    #[serde(rename = "type")]
    pub kind: String,
}
