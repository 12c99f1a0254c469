//! What the API says when it cannot do what it was asked.

use serde::{Deserialize, Serialize};

/// Why a request was not carried out. Clients read both fields of every error but 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorOut {
    /// A word for programs, such as `not_found`.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// What is wrong with a request's values; the body of a 422.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidationErrorOut {
    /// One item for each thing that is wrong.
    pub detail: Vec<ValidationItem>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ValidationItem {
    /// Where: `body`, `query` or `path`, then the names of the fields down to the value.
    /// Clients insist on texts, so a place in a list is its number as text.
    pub loc: Vec<String>,
    /// A sentence for people.
    pub msg: String,
    /// A word for programs, such as `value_error`.
    #[serde(rename = "type")]
    pub kind: String,
}
