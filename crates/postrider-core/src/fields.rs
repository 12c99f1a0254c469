//! Configuration in the form in which clients specify it.

use serde_json::{Map, Value};

/// A configuration: values by the names of fields.
pub type Fields = Map<String, Value>;
