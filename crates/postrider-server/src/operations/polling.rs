//! Polling endpoints: what clients read, and how they acknowledge it.
//!
//! Version 1 of the hosted API passes iterators, which acknowledge what came with them. Version 2
//! has offsets and an operation that commits. Both work with the same consumers.

mod arguments;
pub(super) mod consumer;
mod render;
pub(super) mod token;

use std::sync::Arc;

use postrider::{
    ApplicationId, EventTypeName,
    api::{
        Capability, EndpointKind, Permission,
        polling::{
            PollerV2CommitIn, PollerV2PollOut, PollingEndpointConsumerSeekIn,
            PollingEndpointConsumerSeekOut, PollingEndpointOut,
        },
    },
};
use postrider_core::{
    catalog::Endpoint,
    polling::{DEFAULT_LEASE, Position},
    time::Timestamp,
};
use postrider_engine::{BrowseRequest, PollRequest};
use postrider_store::{IdOrUid, LogKey};
use serde_json::json;

use self::arguments::{LeaseMillis, StartAt};
pub use self::{
    arguments::{ConsumerName, PolledId},
    consumer::{ListConsumers, RemoveConsumer},
    token::{GetToken, RotateToken},
};
use crate::{
    api::{
        access::Access,
        body::Json,
        convert::from_wire,
        error::ApiError,
        operation::{Idempotency, operations},
        query::{Limit, query},
        reply::{Done, NoContent},
    },
    auth::key::KeyId,
    operations::{
        audited::of_application,
        call::{self, Call},
    },
};

operations! {
    tag "Polling";

    /// Read the messages of a polling endpoint, with an iterator that the client keeps
    Poll "v1.message.poller.poll" = GET "/api/v1/app/{app_id}/poller/{sink_id}"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId> }
        query { PollQuery }
        -> Done<PollingEndpointOut> = poll,
        access(Access::Polling(Capability::ViewBase)),
        needs(Permission::Read);

    /// Poll for a consumer, whose iterator the server keeps
    PollConsumer "v1.message.poller.consumer-poll" = GET "/api/v1/app/{app_id}/poller/{sink_id}/consumer/{consumer_id}"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId>, consumer_id: ConsumerName }
        query { ConsumerQuery }
        -> Done<PollingEndpointOut> = poll_consumer,
        access(Access::Polling(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Move a consumer to a time
    Seek "v1.message.poller.consumer-seek" = POST "/api/v1/app/{app_id}/poller/{sink_id}/consumer/{consumer_id}/seek"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId>, consumer_id: ConsumerName }
        body { Json<PollingEndpointConsumerSeekIn> }
        -> Done<PollingEndpointConsumerSeekOut> = seek,
        access(Access::Polling(Capability::ManageEndpoint)),
        needs(Permission::Operate),
        idempotency(Idempotency::Unkeyed);

    /// Poll for a consumer: get messages with their offsets, and lease them
    Receive "v1.message.pollerv2.consumer-poll" = GET "/api/v1/app/{app_id}/polling-endpoint/{sink_id}/consumer/{consumer_id}"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId>, consumer_id: ConsumerName }
        query { ReceiveQuery }
        -> Done<PollerV2PollOut> = receive,
        access(Access::Polling(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Acknowledge all messages up to an offset
    Commit "v1.message.pollerv2.consumer-commit" = POST "/api/v1/app/{app_id}/polling-endpoint/{sink_id}/consumer/{consumer_id}/commit"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId>, consumer_id: ConsumerName }
        body { Json<PollerV2CommitIn> }
        -> NoContent = commit,
        access(Access::Polling(Capability::ManageEndpoint)),
        needs(Permission::Operate),
        idempotency(Idempotency::Unkeyed);
}

query! {
    PollQuery {
        /// Maximum number of messages.
        limit: Limit,
        /// The iterator of the last response. Without one, the response has an iterator and no messages.
        iterator: Option<String>,
        /// Only messages of this event type.
        event_type: Option<EventTypeName>,
        /// Only messages with this channel.
        channel: Option<String>,
        /// Without an iterator: begin with the messages that were added at this time or later.
        after: Option<Timestamp>,
    }

    ConsumerQuery {
        /// Maximum number of messages.
        limit: Limit,
        /// The iterator of the last response, which acknowledges its messages.
        iterator: Option<String>,
    }

    ReceiveQuery {
        /// Maximum number of messages.
        limit: Limit,
        /// For how many milliseconds no other poll of the consumer gets the messages.
        lease_duration_ms: LeaseMillis,
        /// Where the consumer begins if it is new.
        starting_position: StartAt,
    }
}

/// The polling endpoint that a path names.
struct Polled {
    endpoint: Arc<Endpoint>,
    log: LogKey,
}

/// Finds the endpoint. A token for polling is valid for one endpoint only, and for as long as the
/// endpoint has it.
async fn find(
    call: &Call,
    app_id: &IdOrUid<ApplicationId>,
    sink_id: &IdOrUid<PolledId>,
) -> Result<Polled, ApiError> {
    let entry = call.application(app_id).await?;
    let named = match sink_id {
        IdOrUid::Id(PolledId(id)) => IdOrUid::Id(*id),
        IdOrUid::Uid(uid) => IdOrUid::Uid(uid.clone()),
    };
    let endpoint = call::endpoint(&entry, &named)?;
    check_key(call, &endpoint)?;
    if endpoint.kind != EndpointKind::Polling {
        let kind = endpoint.kind;
        let detail = format!("the endpoint is of kind `{kind}`; only `polling` can be polled");
        return Err(ApiError::Bad { code: "not_polling", detail });
    }
    let log = LogKey { application: endpoint.application, endpoint: endpoint.id };
    Ok(Polled { endpoint, log })
}

/// Why a token was refused that the endpoint does not have any more.
const INVALID: &str = "the token was rotated, or it has expired";

fn check_key(call: &Call, endpoint: &Endpoint) -> Result<(), ApiError> {
    let key = call.principal.grant.application.as_ref().and_then(|it| it.key.as_ref());
    let is_right = match key.map(|key| &key.id) {
        None | Some(KeyId::Integration(_)) => true,
        Some(KeyId::AutoConfig(id, _)) => id.as_u128() == endpoint.id.as_u128(),
        Some(KeyId::Polling(id)) => *id == endpoint.id,
    };
    if !is_right {
        return Err(ApiError::Forbidden("the token is for another endpoint"));
    }
    let Some(KeyId::Polling(_)) = key.map(|key| &key.id) else { return Ok(()) };
    let is_valid = endpoint
        .polling_tokens
        .iter()
        .any(|token| token.digest.starts_with(&call.principal.token) && token.is_valid(call.now));
    if is_valid { Ok(()) } else { Err(crate::auth::authenticator::refused(INVALID)) }
}

fn position(text: Option<&str>) -> Result<Option<Position>, ApiError> {
    let decode = |text| {
        let invalid = |_| {
            ApiError::invalid(&["query", "iterator"], "must be the iterator of an earlier response")
        };
        Position::decode(text).map_err(invalid)
    };
    text.map(decode).transpose()
}

async fn poll(call: Call, input: Poll) -> Result<Done<PollingEndpointOut>, ApiError> {
    let Polled { log, .. } = find(&call, &input.app_id, &input.sink_id).await?;
    let query = input.query;
    let polling = call.engine().polling();
    let Some(position) = position(query.iterator.as_deref())? else {
        let offset = match query.after {
            Some(at) => polling.offset_at(log, at).await.map_err(render::error)?,
            None => 0,
        };
        let iterator = Position { offset, generation: None }.encode();
        return Ok(Done(PollingEndpointOut { data: Vec::new(), iterator, done: false }));
    };
    let request = BrowseRequest {
        after: position.offset,
        limit: query.limit.0,
        event_type: query.event_type,
        channel: query.channel,
    };
    let polled = polling.browse(log, &request).await.map_err(render::error)?;
    Ok(Done(render::page(&polled)))
}

async fn poll_consumer(
    call: Call,
    input: PollConsumer,
) -> Result<Done<PollingEndpointOut>, ApiError> {
    let Polled { log, .. } = find(&call, &input.app_id, &input.sink_id).await?;
    let request = PollRequest {
        consumer: input.consumer_id.0,
        position: position(input.query.iterator.as_deref())?,
        limit: input.query.limit.0,
        lease: DEFAULT_LEASE,
        start: postrider_engine::Start::Earliest,
    };
    let polled = call.engine().polling().poll(log, &request).await.map_err(render::error)?;
    Ok(Done(render::page(&polled)))
}

async fn seek(call: Call, input: Seek) -> Result<Done<PollingEndpointConsumerSeekOut>, ApiError> {
    let Polled { endpoint, log } = find(&call, &input.app_id, &input.sink_id).await?;
    let (id, at) = (input.consumer_id.0, from_wire(input.body.after));
    let position = call.engine().polling().seek(log, &id, at).await.map_err(render::error)?;
    let record = of_application("endpoint", endpoint.id, endpoint.application);
    let asked = [("consumer", json!(id)), ("after", json!(at.to_rfc3339()))];
    call.store().record(record, asked).await?;
    Ok(Done(PollingEndpointConsumerSeekOut { iterator: position.encode() }))
}

async fn receive(call: Call, input: Receive) -> Result<Done<PollerV2PollOut>, ApiError> {
    let Polled { log, .. } = find(&call, &input.app_id, &input.sink_id).await?;
    let request = PollRequest {
        consumer: input.consumer_id.0,
        position: None,
        limit: input.query.limit.0,
        lease: input.query.lease_duration_ms.0,
        start: input.query.starting_position.0,
    };
    let polled = call.engine().polling().poll(log, &request).await.map_err(render::error)?;
    Ok(Done(PollerV2PollOut {
        data: polled.entries.iter().map(render::entry).collect(),
        done: polled.is_end,
    }))
}

async fn commit(call: Call, input: Commit) -> Result<NoContent, ApiError> {
    let Polled { log, .. } = find(&call, &input.app_id, &input.sink_id).await?;
    let (id, offset) = (input.consumer_id.0, input.body.offset);
    call.engine().polling().commit(log, &id, offset).await.map_err(render::error)?;
    Ok(NoContent)
}
