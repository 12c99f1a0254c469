//! Endpoints as destinations of the hosted API.

use std::collections::HashSet;

use postrider::{
    EndpointId, MessageId,
    api::{
        EndpointConfig, EndpointKind,
        destination::{DestinationId, DestinationOut, DestinationStatus, DestinationType},
    },
};
use postrider_core::{
    catalog::{BatchLimits, Endpoint, Ordering},
    delivery::Status,
    kind::Fields,
    time::Timestamp,
};
use postrider_store::DeliveryRow;
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

/// The next message of a destination.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub message: MessageId,
    /// When it is tried again, if it was tried before.
    pub next_retry_at: Option<Timestamp>,
    pub failure_reason: Option<String>,
}

impl Head {
    pub(super) fn of(row: &DeliveryRow) -> Self {
        let next_retry_at = match row.status {
            Status::Sending(at) => Some(at),
            Status::Pending(_) | Status::Delivered | Status::Failed | Status::Cancelled => None,
        };
        Self { message: row.id.message, next_retry_at, failure_reason: None }
    }
}

/// The status of a destination. `is_retrying`: its next message has failed, or all of them.
const fn status(endpoint: &Endpoint, is_retrying: bool) -> DestinationStatus {
    match (endpoint.disabled, endpoint.paused, is_retrying) {
        (true, ..) => DestinationStatus::Disabled,
        (false, true, _) => DestinationStatus::Paused,
        (false, false, true) => DestinationStatus::Retrying,
        (false, false, false) => DestinationStatus::Enabled,
    }
}

/// The endpoint as a destination, with the failing endpoints of its application and its next
/// message.
pub(super) fn destination(
    call: &Call,
    endpoint: &Endpoint,
    (failing, head): (&HashSet<EndpointId>, Option<Head>),
) -> Result<DestinationOut, ApiError> {
    let destination_type = type_of(endpoint).ok_or(NOT_FOUND)?;
    let (config, Batching { size, wait_seconds }) = match destination_type {
        DestinationType::FifoEndpoint => (http_config(call, endpoint)?, batching(endpoint)),
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
    let next_retry_at = head.as_ref().and_then(|it| it.next_retry_at);
    let is_retrying = next_retry_at.is_some() || failing.contains(&endpoint.id);
    Ok(DestinationOut {
        id: DestinationId(endpoint.id),
        destination_type,
        config: EndpointConfig(config),
        uid: endpoint.uid.clone(),
        status: status(endpoint, is_retrying),
        current_iterator: head.as_ref().map(|it| it.message.to_string()).unwrap_or_default(),
        failure_reason: head.and_then(|it| it.failure_reason),
        next_retry_at: next_retry_at.map(to_wire),
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

fn batching(endpoint: &Endpoint) -> Batching {
    let of = |batch: BatchLimits| (Some(batch.size), Some(batch.max_wait_seconds));
    let (size, wait_seconds) = endpoint.batch.map_or((None, None), of);
    Batching { size, wait_seconds }
}

fn http_config(call: &Call, endpoint: &Endpoint) -> Result<Fields, ApiError> {
    let headers = headers::shown(call, endpoint)?;
    let headers = serde_json::to_value(headers).map_err(|it| ApiError::Internal(it.into()))?;
    Ok([("url".to_owned(), json!(endpoint.url)), ("headers".to_owned(), headers)]
        .into_iter()
        .collect())
}
