//! Lists and pagination.

use serde::{Deserialize, Serialize};

/// Default number of items on a page.
pub const DEFAULT_LIMIT: usize = 50;

/// Maximum number of items on a page.
pub const MAX_LIMIT: usize = 250;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ListResponse_{T}_"))]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<T> {
    /// The items.
    pub data: Vec<T>,
    /// The `iterator` parameter for the next page.
    pub iterator: Option<String>,
    /// The `iterator` parameter for the previous page.
    pub prev_iterator: Option<String>,
    /// Whether this is the last page.
    pub done: bool,
}

impl<T> ListResponse<T> {
    /// The only page of an empty list.
    pub const EMPTY: Self =
        Self { data: Vec::new(), iterator: None, prev_iterator: None, done: true };
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Ordering {
    /// Oldest or smallest first.
    #[default]
    Ascending,
    /// Newest or greatest first.
    Descending,
}
