//! Where a destination is in its messages.

use postrider::{
    ApplicationId,
    api::{
        Capability, Permission,
        destination::{DestinationId, EventOut, SkipIn},
    },
};
use postrider_store::IdOrUid;

use super::{find, render::NOT_FOUND};
use crate::{
    api::{
        access::Access,
        body::OptionalJson,
        error::ApiError,
        operation::operations,
        query::query,
        reply::{Done, NoContent},
    },
    operations::{
        call::Call,
        endpoint::position::{force_retry_in, last_acked_of, next_of, skip_in},
    },
};

operations! {
    tag "Destination";

    /// Get the next message of a destination
    NextEvent "v1.destination.next-event" = GET "/api/v1/app/{app_id}/destination/{destination_id}/next-event"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<EventOut> = next_event,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Get the last message that was delivered to a destination
    LastAckedEvent "v1.destination.get-last-acked-event" = GET "/api/v1/app/{app_id}/destination/{destination_id}/last-acked-event"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> Done<EventOut> = last_acked_event,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Skip the next messages of a destination
    Skip "v1.destination.skip" = POST "/api/v1/app/{app_id}/destination/{destination_id}/skip"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        query { SkipQuery }
        body { OptionalJson<SkipIn> }
        -> NoContent = skip,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);

    /// Retry the messages of a destination now
    ForceRetry "v1.destination.force-retry" = POST "/api/v1/app/{app_id}/destination/{destination_id}/force-retry"
        path { app_id: IdOrUid<ApplicationId>, destination_id: IdOrUid<DestinationId> }
        -> NoContent = force_retry,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

query! {
    SkipQuery {
        /// The id of the last message to skip, as in the body.
        iterator: Option<String>,
    }
}

async fn next_event(call: Call, input: NextEvent) -> Result<Done<EventOut>, ApiError> {
    let found = find(&call, &input.app_id, &input.destination_id).await?;
    next_of(&call, &found.ok_or(NOT_FOUND)?.0).await.map(Done)
}

async fn last_acked_event(call: Call, input: LastAckedEvent) -> Result<Done<EventOut>, ApiError> {
    let found = find(&call, &input.app_id, &input.destination_id).await?;
    last_acked_of(&call, &found.ok_or(NOT_FOUND)?.0).await.map(Done)
}

async fn skip(call: Call, input: Skip) -> Result<NoContent, ApiError> {
    let Skip { app_id, destination_id, query, body } = input;
    let (endpoint, _) = find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    let iterator = body.iterator.or(query.iterator);
    skip_in(&call, (&app_id).into(), &IdOrUid::Id(endpoint.id), iterator.as_deref()).await
}

async fn force_retry(call: Call, input: ForceRetry) -> Result<NoContent, ApiError> {
    let ForceRetry { app_id, destination_id } = input;
    let (endpoint, _) = find(&call, &app_id, &destination_id).await?.ok_or(NOT_FOUND)?;
    force_retry_in(&call, (&app_id).into(), &IdOrUid::Id(endpoint.id)).await
}
