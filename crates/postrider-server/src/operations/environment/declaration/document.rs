//! Documents of records: what a file contains.

use postrider_core::declaration::{Document, compact, keep_masked};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::api::{error::ApiError, problem_list::item};

/// The document of a record without secrets.
pub(in crate::operations) fn open_document(body: &impl Serialize) -> Result<Document, ApiError> {
    let plain = value(body)?;
    Ok(Document { masked: plain.clone(), plain })
}

/// The document of a record, given with its secrets and with masks.
pub(in crate::operations) fn secret_document<T: Serialize>(
    plain: &T,
    masked: &T,
) -> Result<Document, ApiError> {
    Ok(Document { plain: value(plain)?, masked: value(masked)? })
}

/// Names of fields for old clients, each beside the present one.
const OLD_NAMES: [&str; 3] = ["filterTypes", "rateLimit", "featureFlag"];

fn value(body: &impl Serialize) -> Result<Value, ApiError> {
    let mut value = json(body)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, _| !OLD_NAMES.contains(&name.as_str()));
        *fields = compact(std::mem::take(fields));
    }
    Ok(value)
}

fn json(body: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(body).map_err(|error| ApiError::Internal(error.into()))
}

/// The body with the stored secrets in place of its masks. `open` is a field that is absent if the
/// file leaves it open.
pub(super) fn unmasked<T: Serialize + DeserializeOwned>(
    body: &T,
    old: Option<&Document>,
    open: Option<&str>,
) -> Result<T, ApiError> {
    let mut new = json(body)?;
    if let (Some(field), Value::Object(fields)) = (open, &mut new) {
        fields.remove(field);
    }
    let kept = keep_masked(new, old.map(|it| &it.plain)).map_err(no_secret)?;
    serde_json::from_value(kept).map_err(|error| ApiError::Internal(error.into()))
}

fn no_secret(paths: Vec<Vec<String>>) -> ApiError {
    let problem = |path: Vec<String>| {
        let place = std::iter::once("body").chain(path.iter().map(String::as_str));
        let message =
            "is the mask of a secret, but there is no such secret to keep; give its value";
        item(&place.collect::<Vec<_>>(), message, "value_error")
    };
    ApiError::Invalid(paths.into_iter().map(problem).collect())
}
