//! Whether a message would be sent to an endpoint, before it is published.

use postrider::{
    ApplicationId,
    api::{MessagePrecheckIn, MessagePrecheckOut},
};
use postrider_core::filter;
use postrider_store::IdOrUid;

use crate::{
    api::{body::Json, error::ApiError, operation::operations, reply::Done},
    operations::call::Call,
};
use postrider::api::Permission;

operations! {
    tag "Message";

    /// Find out whether any endpoint would get such a message, if its filter is true
    Precheck "v1.message.precheck" = POST "/api/v1/app/{app_id}/msg/precheck/active"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<MessagePrecheckIn> }
        -> Done<MessagePrecheckOut> = precheck,
        needs(Permission::Publish);
}

async fn precheck(call: Call, input: Precheck) -> Result<Done<MessagePrecheckOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let MessagePrecheckIn { event_type, channels } = input.body;
    let active = entry.endpoints.iter().any(|it| filter::admits(it, &event_type, &channels));
    Ok(Done(MessagePrecheckOut { active }))
}
