//! Endpoints as destinations of the hosted API.

use std::collections::HashSet;

use postrider::{
    EndpointId,
    api::{
        EndpointConfig, EndpointKind,
        destination::{DestinationId, DestinationOut, DestinationStatus, DestinationType},
    },
};
use postrider_core::{
    catalog::{Endpoint, Ordering},
    kind::Fields,
};
use serde_json::json;

use super::config::{self, Batching};
use crate::{
    api::{convert::to_wire, error::ApiError},
    operations::{
        call::Call,
        endpoint::{self, headers},
    },
};

pub(super) const NOT_FOUND: ApiError = ApiError::NotFound("destination");

/// The type of the destination, if the endpoint is one. Clients of the hosted API cannot read a
/// list with a type that they do not know, so endpoints of other kinds are none.
pub(super) const fn type_of(endpoint: &Endpoint) -> Option<DestinationType> {
    match (endpoint.kind, endpoint.ordering) {
        (EndpointKind::Http, Ordering::Fifo) => Some(DestinationType::FifoEndpoint),
        (EndpointKind::S3, _) => Some(DestinationType::AmazonS3),
        (EndpointKind::Sqs, _) => Some(DestinationType::Sqs),
        (EndpointKind::Sns, _) => Some(DestinationType::Sns),
        (EndpointKind::Rabbitmq, _) => Some(DestinationType::RabbitMq),
        (EndpointKind::Postgres, _) => Some(DestinationType::Postgres),
        (EndpointKind::Polling, _) => Some(DestinationType::PollingEndpoint),
        (EndpointKind::Http, Ordering::Any)
        | (
            EndpointKind::Mysql
            | EndpointKind::Sqlite
            | EndpointKind::Email
            | EndpointKind::Live
            | EndpointKind::Slack
            | EndpointKind::Discord
            | EndpointKind::Teams
            | EndpointKind::Telegram
            | EndpointKind::Command
            | EndpointKind::Nats
            | EndpointKind::Redis
            | EndpointKind::Mqtt
            | EndpointKind::Kafka,
            _,
        ) => None,
    }
}

/// The endpoint as a destination. `failing` are the failing endpoints of its application.
pub(super) fn destination(
    call: &Call,
    endpoint: &Endpoint,
    failing: &HashSet<EndpointId>,
) -> Result<DestinationOut, ApiError> {
    let destination_type = type_of(endpoint).ok_or(NOT_FOUND)?;
    let (config, Batching { size, wait_seconds }) = match destination_type {
        DestinationType::FifoEndpoint => (http_config(call, endpoint)?, Batching::default()),
        DestinationType::PollingEndpoint => (Fields::new(), Batching::default()),
        DestinationType::AmazonS3
        | DestinationType::Sqs
        | DestinationType::Sns
        | DestinationType::RabbitMq
        | DestinationType::Postgres => {
            let masked = endpoint::shown(call, endpoint)?.config.unwrap_or_default();
            config::to_hosted(destination_type, &masked.0)
        },
    };
    let status = match (endpoint.disabled, failing.contains(&endpoint.id)) {
        (true, _) => DestinationStatus::Disabled,
        (false, true) => DestinationStatus::Retrying,
        (false, false) => DestinationStatus::Enabled,
    };
    Ok(DestinationOut {
        id: DestinationId(endpoint.id),
        destination_type,
        config: EndpointConfig(config),
        uid: endpoint.uid.clone(),
        status,
        current_iterator: String::new(),
        batch_size: size.unwrap_or(1),
        max_wait_secs: wait_seconds.unwrap_or_default(),
        event_types: endpoint.event_types.clone().unwrap_or_default(),
        channels: endpoint.channels.clone().unwrap_or_default(),
        filter: endpoint.filter.clone(),
        metadata: endpoint.metadata.clone(),
        created_at: to_wire(endpoint.created_at),
        updated_at: to_wire(endpoint.updated_at),
    })
}

fn http_config(call: &Call, endpoint: &Endpoint) -> Result<Fields, ApiError> {
    let headers = headers::shown(call, endpoint)?;
    let headers = serde_json::to_value(headers).map_err(|it| ApiError::Internal(it.into()))?;
    Ok([("url".to_owned(), json!(endpoint.url)), ("headers".to_owned(), headers)]
        .into_iter()
        .collect())
}
