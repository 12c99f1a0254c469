//! Lists, and how to walk them.

use serde::{Deserialize, Serialize};

/// Items on a page if the request does not say.
pub const DEFAULT_LIMIT: usize = 50;

/// Most items on a page.
pub const MAX_LIMIT: usize = 250;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ListResponse_{T}_"))]
#[serde(rename_all = "camelCase")]
pub struct ListResponse<T> {
    /// The items.
    pub data: Vec<T>,
    /// What to ask for to get the next page.
    pub iterator: Option<String>,
    /// What to ask for to get the page before this one.
    pub prev_iterator: Option<String>,
    /// Whether there is nothing behind this page.
    pub done: bool,
}

/// Which way to walk a list.
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
