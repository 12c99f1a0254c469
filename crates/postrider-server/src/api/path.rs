//! Arguments of paths: ids, uids and names.

use std::str::FromStr;

use postrider::{
    AttemptId, AutoConfigId, DeadLetterId, EventTypeName, IntegrationId, Uid, name::MAX_NAME,
};
use postrider_store::IdOrUid;

use crate::api::error::ApiError;

/// An argument of a path.
pub(crate) trait PathArgument: Sized {
    /// Parses the argument of this name.
    fn parse(name: &'static str, text: &str) -> Result<Self, ApiError>;
}

impl<I: FromStr> PathArgument for IdOrUid<I> {
    fn parse(name: &'static str, text: &str) -> Result<Self, ApiError> {
        id_or_uid(text).ok_or_else(|| {
            let message = format!("must be an id or a uid of 1 to {MAX_NAME} characters");
            ApiError::invalid(&["path", name], message)
        })
    }
}

impl PathArgument for EventTypeName {
    fn parse(name: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|error: <Self as FromStr>::Err| {
            ApiError::invalid(&["path", name], error.to_string())
        })
    }
}

/// Attempts have no uids, so a text that is not an id names no attempt.
impl PathArgument for AttemptId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("attempt"))
    }
}

/// Nor have integrations.
impl PathArgument for IntegrationId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("integration"))
    }
}

/// Nor have subscriptions that configure themselves.
impl PathArgument for AutoConfigId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("subscription"))
    }
}

/// Nor have dead letters.
impl PathArgument for DeadLetterId {
    fn parse(_: &'static str, text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| ApiError::NotFound("dead letter"))
    }
}

/// The uid of a record that a `PUT` creates: that of the path, which the body may repeat. An id in
/// the path is that of a record that does not exist.
pub(crate) fn new_uid<I>(
    path: &IdOrUid<I>,
    body: Option<&str>,
    what: &'static str,
) -> Result<Uid, ApiError> {
    let IdOrUid::Uid(uid) = path else { return Err(ApiError::NotFound(what)) };
    if body.is_some_and(|given| given != uid.as_str()) {
        return Err(ApiError::invalid(&["body", "uid"], "must be the uid of the path"));
    }
    Ok(uid.clone())
}

/// Parses an id, or else a uid.
pub(crate) fn id_or_uid<I: FromStr>(text: &str) -> Option<IdOrUid<I>> {
    if let Ok(id) = text.parse() {
        return Some(IdOrUid::Id(id));
    }
    text.parse::<Uid>().ok().map(IdOrUid::Uid)
}
