//! Arguments of paths and queries.

use std::{str::FromStr, time::Duration};

use postrider::{
    EndpointId,
    api::{destination::DestinationId, polling::StartingPosition},
};
use postrider_core::polling::{DEFAULT_LEASE, MAX_CONSUMER_ID, MAX_LEASE, is_consumer_id};
use postrider_engine::Start;
use serde_json::{Value, json};

use crate::api::{error::ApiError, path::PathArgument, query::Argument};

/// The id of a polling endpoint, also in the form that it has as a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolledId(pub EndpointId);

impl FromStr for PolledId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(DestinationId(id)) = text.parse() {
            return Ok(Self(id));
        }
        text.parse().map(Self).map_err(drop)
    }
}

/// The id of a consumer, which its client chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerName(pub String);

impl PathArgument for ConsumerName {
    fn parse(name: &'static str, text: &str) -> Result<Self, ApiError> {
        if is_consumer_id(text) {
            return Ok(Self(text.to_owned()));
        }
        let message = format!("must be 1 to {MAX_CONSUMER_ID} letters, digits and `-_.:@`");
        Err(ApiError::invalid(&["path", name], message))
    }
}

/// How long messages are leased.
#[derive(Clone, Copy, Debug)]
pub struct LeaseMillis(pub Duration);

impl Default for LeaseMillis {
    fn default() -> Self {
        Self(DEFAULT_LEASE)
    }
}

impl Argument for LeaseMillis {
    fn schema() -> Value {
        let (most, default) = (MAX_LEASE.as_millis(), DEFAULT_LEASE.as_millis());
        json!({ "type": "integer", "minimum": 0, "maximum": most, "default": default })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        let lease = values[0].parse().map(Duration::from_millis);
        match lease {
            Ok(lease) if lease <= MAX_LEASE => Ok(Self(lease)),
            _ => Err(format!("must be a number from 0 to {}", MAX_LEASE.as_millis())),
        }
    }
}

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartAt(pub Start);

impl Argument for StartAt {
    fn schema() -> Value {
        let names = [StartingPosition::Earliest, StartingPosition::Latest];
        json!({ "type": "string", "enum": names, "default": names[0] })
    }

    fn parse(values: &[&str]) -> Result<Self, String> {
        match values[0] {
            "earliest" => Ok(Self(Start::Earliest)),
            "latest" => Ok(Self(Start::Latest)),
            _ => Err("must be earliest or latest".to_owned()),
        }
    }
}
