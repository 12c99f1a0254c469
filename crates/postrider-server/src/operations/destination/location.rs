//! Where a destination leads, as the request says it, and the locations of problems with it.

use std::collections::BTreeMap;

use postrider::api::{
    EndpointConfig, ValidationItem,
    destination::{DestinationIn, DestinationPatch, DestinationType},
};
use postrider_core::kind::Fields;
use serde::Deserialize;
use serde_json::Value;

use super::config::{self, Batching, Mode};
use crate::api::{error::ApiError, problems::Problems};

/// Where a destination leads.
#[derive(Debug, Default)]
pub(super) struct Location {
    pub url: Option<String>,
    /// Of a kind other than `http`.
    pub config: Option<EndpointConfig>,
    pub headers: Option<BTreeMap<String, String>>,
    pub key: Option<String>,
}

/// The configuration of the type `fifoEndpoint`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FifoConfig {
    url: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    /// The signing secret.
    key: Option<String>,
}

/// Where a new or replaced destination leads. `old` is its present configuration with masked
/// credentials.
pub(super) fn of(body: &DestinationIn, old: &Fields, problems: &mut Problems<'_>) -> Location {
    let batching = Batching { size: body.batch_size, wait_seconds: body.max_wait_secs };
    let change = Change { mode: Mode::Replace, given: &body.config.0, batching };
    locate(body.destination_type, old, change, problems)
}

/// Where a changed destination leads.
pub(super) fn of_patch(
    body: &DestinationPatch,
    old: &Fields,
    problems: &mut Problems<'_>,
) -> Location {
    let batching = Batching { size: body.batch_size, wait_seconds: body.max_wait_secs };
    let change = Change { mode: Mode::Change, given: &body.config.0, batching };
    locate(body.destination_type, old, change, problems)
}

/// What the request says about the configuration.
#[derive(Clone, Copy)]
struct Change<'a> {
    mode: Mode,
    given: &'a Fields,
    batching: Batching,
}

fn locate(
    destination_type: DestinationType,
    old: &Fields,
    change: Change<'_>,
    problems: &mut Problems<'_>,
) -> Location {
    let Change { mode, given, batching } = change;
    if destination_type == DestinationType::FifoEndpoint {
        let mut none = Fields::new();
        config::add_batching(destination_type, mode, batching, &mut none, problems);
        return locate_http(mode, given, problems);
    }
    let mut fields = config::to_endpoint(destination_type, mode, old, given, problems);
    config::add_batching(destination_type, mode, batching, &mut fields, problems);
    Location { config: Some(EndpointConfig(fields)), ..Location::default() }
}

fn locate_http(mode: Mode, given: &Fields, problems: &mut Problems<'_>) -> Location {
    let parsed: Result<FifoConfig, _> =
        serde_path_to_error::deserialize(Value::Object(given.clone()));
    let config = match parsed {
        Ok(config) => config,
        Err(error) => {
            let path: Vec<_> = error.path().iter().map(ToString::to_string).collect();
            let place: Vec<_> =
                std::iter::once("config").chain(path.iter().map(String::as_str)).collect();
            problems.add(&place, error.into_inner().to_string());
            return Location::default();
        },
    };
    if mode == Mode::Replace && config.url.is_none() {
        problems.missing(&["config", "url"]);
    }
    if mode == Mode::Change {
        const MESSAGE: &str = "cannot be changed here; it has an operation of its own";
        for (field, is_given) in
            [("headers", config.headers.is_some()), ("key", config.key.is_some())]
        {
            if is_given {
                problems.add(&["config", field], MESSAGE);
            }
        }
    }
    let FifoConfig { url, headers, key } = config;
    Location { url, config: None, headers, key }
}

/// The error of an operation of the endpoint, with the names that the client knows.
#[expect(clippy::wildcard_enum_match_arm, reason = "other errors name no field")]
pub(super) fn renamed(destination_type: DestinationType, error: ApiError) -> ApiError {
    match error {
        ApiError::Invalid(items) => ApiError::Invalid(
            items.into_iter().map(|item| rename(destination_type, item)).collect(),
        ),
        ApiError::NotFound("endpoint") => ApiError::NotFound("destination"),
        error => error,
    }
}

fn rename(destination_type: DestinationType, item: ValidationItem) -> ValidationItem {
    let place: Vec<_> = item.loc.iter().map(String::as_str).collect();
    let renamed: Vec<&str> = match &*place {
        ["body", "kind"] => vec!["body", "type"],
        ["body", "config", "maxMessages"] => vec!["body", "batchSize"],
        ["body", "config", "maxWait"] => vec!["body", "maxWaitSecs"],
        ["body", "config", name, rest @ ..] => {
            let name = config::hosted_name(destination_type, name).unwrap_or(name);
            ["body", "config", name].iter().chain(rest).copied().collect()
        },
        ["body", "secret" | "key"] => vec!["body", "config", "key"],
        ["body", "url" | "headers", ..] => {
            ["body", "config"].iter().chain(place.iter().skip(1)).copied().collect()
        },
        _ => return item,
    };
    let loc = renamed.into_iter().map(str::to_owned).collect();
    ValidationItem { loc, ..item }
}
