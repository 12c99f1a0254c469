//! Messages that are to be delivered later.

use postrider::{
    ApplicationId, MessageId,
    api::{MessageOut, MessageRescheduleIn, Permission},
};
use postrider_core::{message::Message, time::Timestamp};
use postrider_store::IdOrUid;

use super::{find, incoming::MAX_AHEAD};
use crate::{
    api::{
        body::Json,
        convert::from_wire,
        error::ApiError,
        operation::operations,
        problems::Problems,
        reply::{Done, NoContent},
    },
    operations::{call::Call, render},
};

operations! {
    tag "Message";

    /// Change when a scheduled message is delivered
    Reschedule "v1.message.reschedule" = POST "/api/v1/app/{app_id}/msg/{msg_id}/reschedule"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        body { Json<MessageRescheduleIn> }
        -> Done<MessageOut> = reschedule,
        needs(Permission::Operate);

    /// Cancel the pending deliveries of a message
    Cancel "v1.message.cancel" = POST "/api/v1/app/{app_id}/msg/{msg_id}/cancel"
        path { app_id: IdOrUid<ApplicationId>, msg_id: IdOrUid<MessageId> }
        -> NoContent = cancel,
        needs(Permission::Operate);
}

async fn reschedule(call: Call, input: Reschedule) -> Result<Done<MessageOut>, ApiError> {
    let Reschedule { app_id, msg_id, body } = input;
    let application = call.application(&app_id).await?.application.id;
    let message = find(&call, application, &msg_id).await?;
    let at = from_wire(body.deliver_at).max(call.now);
    let mut problems = Problems::within(&["body"]);
    problems.require(at <= call.now + MAX_AHEAD, "deliverAt", "must be at most a year ahead");
    problems.finish()?;
    let message = moved(message, at, call.now)?;
    let (id, body_until) = (message.id, message.body_until);
    if !call.store().reschedule(application, id, at, body_until).await? {
        return Err(ApiError::conflict(format!(
            "no delivery of {id} waits for its first attempt; it may have been cancelled, or is \
             being sent"
        )));
    }
    call.engine().wake(application);
    Ok(Done(render::message(&message, true)))
}

/// The message with another time. Its payload is kept as long after it as before.
fn moved(message: Message, at: Timestamp, now: Timestamp) -> Result<Message, ApiError> {
    let Some(old) = message.deliver_at.filter(|old| *old > now) else {
        let detail = format!("{} is not scheduled; its first attempts have begun", message.id);
        return Err(ApiError::conflict(detail));
    };
    let body_until = at + message.body_until.since(old);
    Ok(Message { deliver_at: Some(at), body_until, ..message })
}

async fn cancel(call: Call, input: Cancel) -> Result<NoContent, ApiError> {
    let application = call.application(&input.app_id).await?.application.id;
    let message = find(&call, application, &input.msg_id).await?.id;
    if call.store().cancel_message(application, message).await? {
        call.engine().forget(application, message).await;
    }
    Ok(NoContent)
}
