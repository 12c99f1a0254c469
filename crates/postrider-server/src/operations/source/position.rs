//! Where a source's endpoint is in its messages: the operations of endpoints under the source's path.

use postrider::{
    EndpointId, SourceId,
    api::{
        Permission,
        destination::{EventOut, SkipIn},
    },
};
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::OptionalJson,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::{
        call::Call,
        endpoint::position::{force_retry_in, found, last_acked_of, next_of, skip_in},
    },
};

operations! {
    tag "Ingest Endpoint";

    /// Get the next message of a source's endpoint
    NextSourceEvent "v1.ingest.endpoint.next-event" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/next-event"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EventOut> = next_source_event,
        needs(Permission::Read);

    /// Get the last message that was delivered to a source's endpoint
    LastAckedSourceEvent "v1.ingest.endpoint.last-acked-event" = GET "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/last-acked-event"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EventOut> = last_acked_source_event,
        needs(Permission::Read);

    /// Skip the next messages of a source's endpoint
    SkipSourceEvents "v1.ingest.endpoint.skip" = POST "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/skip"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        body { OptionalJson<SkipIn> }
        -> NoContent = skip_source_events,
        needs(Permission::Operate);

    /// Retry the messages of a source's endpoint now
    ForceSourceRetry "v1.ingest.endpoint.force-retry" = POST "/ingest/api/v1/source/{source_id}/endpoint/{endpoint_id}/force-retry"
        path { source_id: IdOrUid<SourceId>, endpoint_id: IdOrUid<EndpointId> }
        -> NoContent = force_source_retry,
        needs(Permission::Operate);
}

async fn next_source_event(call: Call, input: NextSourceEvent) -> Result<Done<EventOut>, ApiError> {
    let endpoint = found(&call, (&input.source_id).into(), &input.endpoint_id).await?;
    next_of(&call, &endpoint).await.map(Done)
}

async fn last_acked_source_event(
    call: Call,
    input: LastAckedSourceEvent,
) -> Result<Done<EventOut>, ApiError> {
    let endpoint = found(&call, (&input.source_id).into(), &input.endpoint_id).await?;
    last_acked_of(&call, &endpoint).await.map(Done)
}

async fn skip_source_events(call: Call, input: SkipSourceEvents) -> Result<NoContent, ApiError> {
    let SkipSourceEvents { source_id, endpoint_id, body } = input;
    skip_in(&call, (&source_id).into(), &endpoint_id, body.iterator.as_deref()).await
}

async fn force_source_retry(call: Call, input: ForceSourceRetry) -> Result<NoContent, ApiError> {
    force_retry_in(&call, (&input.source_id).into(), &input.endpoint_id).await
}
