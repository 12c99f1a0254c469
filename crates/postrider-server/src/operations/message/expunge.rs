//! Deleting the payloads of many messages.

use std::collections::BTreeMap;

use postrider::{
    ApplicationId, MessageId,
    api::{
        BulkExpungeContentsIn, BulkExpungeContentsOut, BulkExpungeStatus, RecoverOut,
        task::MAX_EXPUNGED,
    },
};
use postrider_core::catalog::Work;
use postrider_store::IdOrUid;

use crate::{
    api::{
        body::Json,
        error::ApiError,
        operation::operations,
        path::id_or_uid,
        reply::{Accepted, Done},
    },
    operations::{
        call::Call,
        task::{begin, started},
    },
};
use postrider::api::Permission;

operations! {
    tag "Message";

    /// Delete the payloads of all messages of an application
    ExpungeAllContents "v1.message.expunge-all-contents" = POST "/api/v1/app/{app_id}/msg/expunge-all-contents"
        path { app_id: IdOrUid<ApplicationId> }
        -> Accepted<RecoverOut> = expunge_all,
        needs(Permission::Operate);

    /// Delete the payloads of up to 1,000 messages
    BulkExpungeContent "v1.message.bulk-expunge-content" = POST "/api/v1/app/{app_id}/msg/bulk-expunge"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<BulkExpungeContentsIn> }
        -> Done<BulkExpungeContentsOut> = bulk_expunge,
        needs(Permission::Operate);
}

/// Messages that are accepted later keep their payloads.
async fn expunge_all(
    call: Call,
    input: ExpungeAllContents,
) -> Result<Accepted<RecoverOut>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let before = call.now + std::time::Duration::from_millis(1);
    let task = begin(&call, Work::ExpungeContents { application, before }).await?;
    Ok(Accepted(started(&task)))
}

async fn bulk_expunge(
    call: Call,
    input: BulkExpungeContent,
) -> Result<Done<BulkExpungeContentsOut>, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    if input.body.ids.len() > MAX_EXPUNGED {
        let message = format!("has more than {MAX_EXPUNGED} items");
        return Err(ApiError::invalid(&["body", "ids"], message));
    }
    let mut results = BTreeMap::new();
    for text in input.body.ids {
        let status = match id_or_uid(&text) {
            Some(named) => expunge(&call, application, &named).await?,
            None => BulkExpungeStatus::NotFound,
        };
        results.insert(text, status);
    }
    Ok(Done(BulkExpungeContentsOut { results }))
}

async fn expunge(
    call: &Call,
    application: ApplicationId,
    named: &IdOrUid<MessageId>,
) -> Result<BulkExpungeStatus, ApiError> {
    let Some(message) = call.store().message(application, named).await? else {
        return Ok(BulkExpungeStatus::NotFound);
    };
    call.store().expunge_message(application, message.id).await?;
    call.engine().forget(application, message.id).await;
    Ok(BulkExpungeStatus::Expunged)
}
