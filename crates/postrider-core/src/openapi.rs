//! Event types as the webhooks and callbacks of an `OpenAPI` document.

mod callbacks;
mod export;
mod import;
mod version_3_0;

use serde_json::Value;

pub use self::{export::export, import::import};

/// An event type as a document describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedEventType {
    pub name: String,
    pub description: String,
    /// The JSON schema of the payload, complete: it refers to nothing else in the document.
    pub schema: Option<Value>,
    pub deprecated: bool,
    pub group_name: Option<String>,
    pub feature_flags: Vec<String>,
}

/// A problem of a document, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentProblem {
    pub place: Vec<String>,
    pub message: String,
}

/// The extension of an operation with the feature flags of the event type.
const FEATURE_FLAGS: &str = "x-feature-flags";
