//! Dead letters: messages of queues that could not be accepted.

use postrider::{
    ConsumerId, DeadLetterId,
    api::{
        DeadLetterCause, DeadLetterContentOut, DeadLetterOut, DeadLetterRetryOut, ListResponse,
        Permission,
    },
};
use postrider_core::{
    catalog::{Consumer, DeadLetter},
    queue::mapping::QueueInput,
};
use postrider_store::{IdOrUid, Records, Scan};

use super::{find, render};
use crate::{
    api::{
        error::ApiError,
        operation::operations,
        query::query,
        reply::{Done, NoContent},
    },
    consumer::{Accepted, Instructions, Refusal, accept, digest},
    operations::{
        call::Call,
        page::{Page, PageQuery},
    },
};

/// Dead letters that are read in one call: each may be large.
const PAGE: usize = 16;

operations! {
    tag "Consumer";

    /// List the messages of a consumer's queue that could not be accepted
    ListDeadLetters "v1.consumer.dead-letter.list" = GET "/api/v1/consumer/{consumer_id}/dead-letter"
        path { consumer_id: IdOrUid<ConsumerId> }
        query { (PageQuery, CauseQuery) }
        -> Done<ListResponse<DeadLetterOut>> = list,
        needs(Permission::Read);

    /// Get a dead letter with its headers and body
    GetDeadLetter "v1.consumer.dead-letter.get" = GET "/api/v1/consumer/{consumer_id}/dead-letter/{dead_letter_id}"
        path { consumer_id: IdOrUid<ConsumerId>, dead_letter_id: DeadLetterId }
        -> Done<DeadLetterContentOut> = get,
        needs(Permission::Read);

    /// Publish a dead letter, and take it off the list
    RetryDeadLetter "v1.consumer.dead-letter.retry" = POST "/api/v1/consumer/{consumer_id}/dead-letter/{dead_letter_id}/retry"
        path { consumer_id: IdOrUid<ConsumerId>, dead_letter_id: DeadLetterId }
        -> Done<DeadLetterRetryOut> = retry,
        needs(Permission::Operate);

    /// Delete a dead letter
    DeleteDeadLetter "v1.consumer.dead-letter.delete" = DELETE "/api/v1/consumer/{consumer_id}/dead-letter/{dead_letter_id}"
        path { consumer_id: IdOrUid<ConsumerId>, dead_letter_id: DeadLetterId }
        -> NoContent = delete,
        needs(Permission::Operate);
}

query! {
    CauseQuery {
        /// Only dead letters with this cause.
        cause: Option<DeadLetterCause>,
    }
}

async fn list(
    call: Call,
    input: ListDeadLetters,
) -> Result<Done<ListResponse<DeadLetterOut>>, ApiError> {
    let ListDeadLetters { consumer_id, query: (query, CauseQuery { cause }) } = input;
    let (consumer, _) = find(&call, &consumer_id).await?;
    let mut page = Page::<DeadLetterId>::of(&call, &query)?;
    let matches = |it: &DeadLetter| cause.is_none_or(|cause| it.cause == cause);
    let read = async |scan: Scan<DeadLetterId>| {
        let scan = Scan { limit: scan.limit.min(PAGE), ..scan };
        let mut found = call.store().list::<DeadLetter>(&consumer.id, scan).await?;
        found.items.retain(matches);
        Ok(found)
    };
    let found = page.fill(read).await?;
    Ok(Done(page.list(found, |it| it.id, render::dead_letter)))
}

async fn get(call: Call, input: GetDeadLetter) -> Result<Done<DeadLetterContentOut>, ApiError> {
    let (_, letter) = find_letter(&call, &input.consumer_id, input.dead_letter_id).await?;
    Ok(Done(render::content(letter)))
}

async fn retry(call: Call, input: RetryDeadLetter) -> Result<Done<DeadLetterRetryOut>, ApiError> {
    let (consumer, letter) = find_letter(&call, &input.consumer_id, input.dead_letter_id).await?;
    if letter.is_truncated {
        let detail = "the body was too large to be kept; publish the message again";
        return Err(refused(detail.to_owned()));
    }
    let instructions = Instructions::of(&call, &consumer)?;
    let content = QueueInput {
        subject: letter.subject.as_deref(),
        headers: &letter.headers,
        body: letter.body.as_bytes(),
    };
    let digest = digest(consumer.id, &letter.message);
    let accepted = accept(&call, instructions.mapping.as_ref(), content, digest).await;
    let message_id = match accepted {
        Ok(Accepted::New(id)) => Some(id),
        Ok(Accepted::Duplicate(id)) => id,
        Err(Refusal::Wait { reason, .. }) => return Err(unavailable(&reason)),
        Err(Refusal::Retry { reason, .. } | Refusal::Never { reason, .. }) => {
            return Err(refused(reason));
        },
    };
    call.store().remove::<DeadLetter>(&consumer.id, &letter.id).await?;
    Ok(Done(DeadLetterRetryOut { message_id }))
}

async fn delete(call: Call, input: DeleteDeadLetter) -> Result<NoContent, ApiError> {
    let (consumer, letter) = find_letter(&call, &input.consumer_id, input.dead_letter_id).await?;
    call.store().remove::<DeadLetter>(&consumer.id, &letter.id).await?;
    Ok(NoContent)
}

async fn find_letter(
    call: &Call,
    consumer_id: &IdOrUid<ConsumerId>,
    id: DeadLetterId,
) -> Result<(Consumer, DeadLetter), ApiError> {
    let (consumer, _) = find(call, consumer_id).await?;
    let found = call.store().get::<DeadLetter>(&consumer.id, &IdOrUid::Id(id)).await?;
    Ok((consumer, found.ok_or(ApiError::NotFound("dead letter"))?))
}

/// It is still not accepted.
fn refused(detail: String) -> ApiError {
    ApiError::Bad { code: "not_accepted", detail }
}

fn unavailable(reason: &str) -> ApiError {
    tracing::debug!(reason, "a dead letter cannot be published now");
    ApiError::Unavailable("the message cannot be accepted at the moment", None)
}
