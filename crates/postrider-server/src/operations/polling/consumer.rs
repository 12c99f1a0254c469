//! The consumers of a polling endpoint, for people.

use postrider::{
    ApplicationId,
    api::{
        Capability, Permission,
        polling::{PollingConsumerOut, PollingConsumersOut},
    },
};
use postrider_core::{polling::PollConsumer, time::Timestamp};
use postrider_store::IdOrUid;
use serde_json::json;

use super::{ConsumerName, Polled, PolledId, find};
use crate::{
    api::{
        access::Access,
        convert::to_wire,
        error::ApiError,
        operation::operations,
        reply::{Done, NoContent},
    },
    operations::{audited::of_application, call::Call},
};

operations! {
    tag "Polling";

    /// List the consumers of a polling endpoint, with their progress
    ListConsumers "v1.polling-endpoint.consumer-list" = GET "/api/v1/app/{app_id}/polling-endpoint/{sink_id}/consumer"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId> }
        -> Done<PollingConsumersOut> = list,
        access(Access::Polling(Capability::ViewBase)),
        needs(Permission::Read);

    /// Remove a consumer and its progress
    RemoveConsumer "v1.polling-endpoint.consumer-delete" = DELETE "/api/v1/app/{app_id}/polling-endpoint/{sink_id}/consumer/{consumer_id}"
        path { app_id: IdOrUid<ApplicationId>, sink_id: IdOrUid<PolledId>, consumer_id: ConsumerName }
        -> NoContent = remove,
        access(Access::Application(Capability::ManageEndpoint)),
        needs(Permission::Operate);
}

async fn list(call: Call, input: ListConsumers) -> Result<Done<PollingConsumersOut>, ApiError> {
    let Polled { log, .. } = find(&call, &input.app_id, &input.sink_id).await?;
    let consumers = call.reader().poll_consumers(log).await?;
    // Read last, so that no consumer is ahead of it.
    let last_offset = call.reader().log_end(log).await?;
    let data = consumers.into_iter().map(|it| shown(it, last_offset, call.now)).collect();
    Ok(Done(PollingConsumersOut { data, last_offset }))
}

fn shown(consumer: PollConsumer, last_offset: u64, now: Timestamp) -> PollingConsumerOut {
    let lease = consumer.lease.filter(|_| consumer.is_leased(now));
    PollingConsumerOut {
        committed_offset: consumer.committed,
        lag: last_offset.saturating_sub(consumer.committed),
        leased_until: lease.map(|it| to_wire(it.until)),
        created_at: to_wire(consumer.created_at),
        last_poll_at: to_wire(consumer.seen_at),
        id: consumer.id,
    }
}

async fn remove(call: Call, input: RemoveConsumer) -> Result<NoContent, ApiError> {
    let Polled { endpoint, log } = find(&call, &input.app_id, &input.sink_id).await?;
    let id = input.consumer_id.0;
    if !call.reader().remove_poll_consumer(log, &id).await? {
        return Err(ApiError::NotFound("consumer"));
    }
    let record = of_application("endpoint", endpoint.id, endpoint.application);
    call.store().record(record, [("removedConsumer", json!(id))]).await?;
    Ok(NoContent)
}
