//! Consumers: queues that messages are read from.

pub(super) mod dead_letter;
pub(super) mod declaration;
pub(crate) mod declared;
mod fields;
mod render;

use postrider::{
    ConsumerId,
    api::{
        ConsumerIn, ConsumerOut, ConsumerPatch, ConsumerStateOut, ConsumerStatus, ListResponse,
        Permission,
    },
};
use postrider_core::catalog::Consumer;
use postrider_store::{Expected, IdOrUid, Records, Version};

pub use self::dead_letter::{DeleteDeadLetter, GetDeadLetter, ListDeadLetters, RetryDeadLetter};
use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        path::new_uid,
        reply::{Created, Done, NoContent, Upserted},
    },
    consumer::Snapshot,
    operations::{
        call::Call,
        limit::require_room,
        page::{Page, PageQuery},
    },
    race,
};

/// Most consumers of an organization. Each of them has a connection on each node.
const MAX_CONSUMERS: usize = 100;

operations! {
    tag "Consumer";

    /// List consumers
    List "v1.consumer.list" = GET "/api/v1/consumer"
        query { PageQuery }
        -> Done<ListResponse<ConsumerOut>> = list,
        needs(Permission::Read);

    /// Create a consumer
    Create "v1.consumer.create" = POST "/api/v1/consumer"
        body { Json<ConsumerIn> }
        -> Created<ConsumerOut> = create,
        needs(Permission::Operate);

    /// Get a consumer
    Get "v1.consumer.get" = GET "/api/v1/consumer/{consumer_id}"
        path { consumer_id: IdOrUid<ConsumerId> }
        -> Done<ConsumerOut> = get,
        needs(Permission::Read);

    /// Replace or create a consumer
    Upsert "v1.consumer.upsert" = PUT "/api/v1/consumer/{consumer_id}"
        path { consumer_id: IdOrUid<ConsumerId> }
        body { Json<ConsumerIn> }
        -> Upserted<ConsumerOut> = upsert,
        needs(Permission::Operate);

    /// Change a consumer
    Patch "v1.consumer.patch" = PATCH "/api/v1/consumer/{consumer_id}"
        path { consumer_id: IdOrUid<ConsumerId> }
        body { Json<ConsumerPatch> }
        -> Done<ConsumerOut> = patch,
        needs(Permission::Operate);

    /// Delete a consumer and its dead letters
    Delete "v1.consumer.delete" = DELETE "/api/v1/consumer/{consumer_id}"
        path { consumer_id: IdOrUid<ConsumerId> }
        -> NoContent = delete,
        needs(Permission::Operate);

    /// Get what a consumer is doing on the node that answers
    GetState "v1.consumer.get-state" = GET "/api/v1/consumer/{consumer_id}/state"
        path { consumer_id: IdOrUid<ConsumerId> }
        -> Done<ConsumerStateOut> = get_state,
        needs(Permission::Read);
}

async fn list(
    call: Call,
    List { query }: List,
) -> Result<Done<ListResponse<ConsumerOut>>, ApiError> {
    let mut page = Page::<ConsumerId>::of(&call, &query)?;
    let found = page.fill(|scan| call.store().list::<Consumer>(call.organization(), scan)).await?;
    page.try_list(found, |it| it.id, |it| render::consumer(&call, it)).map(Done)
}

async fn create(call: Call, input: Create) -> Result<Created<ConsumerOut>, ApiError> {
    insert(&call, input.body).await.map(Created)
}

async fn get(call: Call, input: Get) -> Result<Done<ConsumerOut>, ApiError> {
    let (consumer, _) = find(&call, &input.consumer_id).await?;
    render::consumer(&call, consumer).map(Done)
}

async fn upsert(call: Call, input: Upsert) -> Result<Upserted<ConsumerOut>, ApiError> {
    let Upsert { consumer_id, body } = input;
    if find_if_any(&call, &consumer_id).await?.is_none() {
        let uid = new_uid(&consumer_id, body.uid.as_deref(), "consumer")?;
        let body = ConsumerIn { uid: Some(uid.to_string()), ..body };
        return insert(&call, body).await.map(Upserted::Created);
    }
    race::retry(|| try_replace(&call, &consumer_id, body.clone())).await.map(Upserted::Existing)
}

async fn try_replace(
    call: &Call,
    consumer_id: &IdOrUid<ConsumerId>,
    body: ConsumerIn,
) -> Result<ConsumerOut, ApiError> {
    let (old, version) = find(call, consumer_id).await?;
    let new = fields::replace(call, &old, body)?;
    save(call, new, Expected::Version(version)).await
}

async fn insert(call: &Call, body: ConsumerIn) -> Result<ConsumerOut, ApiError> {
    let consumer = fields::build(call, body)?;
    require_room::<Consumer>(call, MAX_CONSUMERS, "consumers").await?;
    save(call, consumer, Expected::New).await
}

async fn patch(call: Call, input: Patch) -> Result<Done<ConsumerOut>, ApiError> {
    race::retry(|| try_patch(&call, &input)).await.map(Done)
}

async fn try_patch(call: &Call, input: &Patch) -> Result<ConsumerOut, ApiError> {
    let (mut consumer, version) = find(call, &input.consumer_id).await?;
    fields::apply(call, &mut consumer, input.body.clone())?;
    save(call, consumer, Expected::Version(version)).await
}

async fn delete(call: Call, input: Delete) -> Result<NoContent, ApiError> {
    let (consumer, _) = find(&call, &input.consumer_id).await?;
    call.store().remove::<Consumer>(&consumer.organization, &consumer.id).await?;
    call.resources.consumers.notify();
    Ok(NoContent)
}

async fn get_state(call: Call, input: GetState) -> Result<Done<ConsumerStateOut>, ApiError> {
    let (consumer, _) = find(&call, &input.consumer_id).await?;
    let status =
        if consumer.disabled { ConsumerStatus::Disabled } else { ConsumerStatus::Connecting };
    let running = call.resources.consumers.snapshot(consumer.id).filter(|_| !consumer.disabled);
    let state = running.unwrap_or_else(|| Snapshot::new(status, consumer.updated_at));
    Ok(Done(render::state(state)))
}

/// The consumer, and its version, as they are stored now.
async fn find(call: &Call, named: &IdOrUid<ConsumerId>) -> Result<(Consumer, Version), ApiError> {
    find_if_any(call, named).await?.ok_or(ApiError::NotFound("consumer"))
}

async fn find_if_any(
    call: &Call,
    named: &IdOrUid<ConsumerId>,
) -> Result<Option<(Consumer, Version)>, ApiError> {
    Ok(call.store().get_versioned::<Consumer>(call.organization(), named).await?)
}

async fn save(
    call: &Call,
    consumer: Consumer,
    expected: Expected,
) -> Result<ConsumerOut, ApiError> {
    let shown = render::consumer(call, consumer.clone())?;
    call.store().save(&consumer, expected).await?;
    call.resources.consumers.notify();
    Ok(shown)
}
