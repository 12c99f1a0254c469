//! The document of a record.

use serde_json::Value;

/// A record as a file contains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub plain: Value,
    /// The same with masks in place of secrets.
    pub masked: Value,
}
