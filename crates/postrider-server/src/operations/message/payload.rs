//! Validation of payloads.

use crate::{
    api::error::ApiError,
    settings::{Limits, SizeLimit},
};

/// What payloads must be. Clients parse them as objects, and cannot read a list with any other
/// value.
pub(crate) const OBJECT: &str = "must be a JSON object";

/// Whether the JSON is an object.
pub(crate) fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{')
}

pub(crate) fn check_length(text: &str, limits: &Limits) -> Result<(), ApiError> {
    let limit = SizeLimit { bytes: limits.max_payload, setting: "max_payload" };
    if text.len() > limit.bytes {
        return Err(ApiError::TooLarge { what: "payload", limit });
    }
    Ok(())
}
