//! Why an endpoint gets a message, or does not.

use postrider::{
    ApplicationId, EndpointId, MessageId,
    api::{Capability, EndpointExplanationOut, EndpointExplanationResult, Permission},
};
use postrider_core::{
    catalog::Endpoint,
    delivery::Status,
    filter::{Mismatch, Subject},
    message::Message,
};
use postrider_engine::Entry;
use postrider_store::{DeliveriesOf, DeliveryFilter, DeliveryRow, IdOrUid, MessageFilter, Scan};

use crate::{
    api::{access::Access, convert::to_wire, error::ApiError, operation::operations, reply::Done},
    operations::{
        call::{self, Call},
        message,
    },
};

operations! {
    tag "Endpoint";

    /// Explain why an endpoint gets a message, or does not
    Explain "v1.endpoint.explain" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/msg/{msg_id}/explanation"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId>, msg_id: IdOrUid<MessageId> }
        -> Done<EndpointExplanationOut> = explain,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);
}

async fn explain(call: Call, input: Explain) -> Result<Done<EndpointExplanationOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?;
    let message = message::find(&call, entry.application.id, &input.msg_id).await?;
    let delivery = delivery(&call, &endpoint, &message).await?;
    Ok(Done(match delivery {
        Some(row) => of_delivery(&row),
        None => of_mismatch(&entry, &endpoint, &message),
    }))
}

/// The delivery of the message to the endpoint, if there is one.
async fn delivery(
    call: &Call,
    endpoint: &Endpoint,
    message: &Message,
) -> Result<Option<DeliveryRow>, ApiError> {
    let of = DeliveriesOf::Endpoint(endpoint.application, endpoint.id);
    // Those of the same millisecond.
    let accepted = message.created_at();
    let near = MessageFilter {
        after: Some(accepted),
        before: Some(accepted + std::time::Duration::from_millis(1)),
        ..MessageFilter::default()
    };
    let filter = DeliveryFilter { message: near, ..DeliveryFilter::default() };
    let mut scan = Scan { after: None, ascending: true, limit: 250 };
    loop {
        let found = call.store().deliveries(of, filter.clone(), scan.clone()).await?;
        if let Some(row) = found.items.into_iter().find(|row| row.id.message == message.id) {
            return Ok(Some(row));
        }
        match found.resume {
            Some(after) => scan.after = Some(after),
            None => return Ok(None),
        }
    }
}

fn of_delivery(row: &DeliveryRow) -> EndpointExplanationOut {
    let attempts = match row.attempts {
        1 => "1 attempt".to_owned(),
        more => format!("{more} attempts"),
    };
    let (result, reason, next_attempt) = match row.status {
        Status::Delivered => (
            EndpointExplanationResult::Delivered,
            format!("the message was delivered after {attempts}"),
            None,
        ),
        Status::Pending(at) => (
            EndpointExplanationResult::Pending,
            format!("the first attempt is due at {}", to_wire(at)),
            Some(to_wire(at)),
        ),
        Status::Sending(at) => (
            EndpointExplanationResult::Sending,
            format!("{attempts} failed, and the next one is due at {}", to_wire(at)),
            Some(to_wire(at)),
        ),
        Status::Failed => (
            EndpointExplanationResult::Failed,
            format!("the delivery failed after {attempts}; it can be resent"),
            None,
        ),
        Status::Cancelled => (
            EndpointExplanationResult::Canceled,
            format!("the delivery was cancelled after {attempts}; it can be resent"),
            None,
        ),
    };
    EndpointExplanationOut {
        endpoint_id: row.id.endpoint,
        msg_id: row.id.message,
        result,
        reason,
        attempts: row.attempts,
        next_attempt,
    }
}

fn of_mismatch(entry: &Entry, endpoint: &Endpoint, message: &Message) -> EndpointExplanationOut {
    let subject = Subject::new(message, &entry.application.metadata);
    let (result, reason) = match entry.check(endpoint, &subject) {
        Ok(()) => (EndpointExplanationResult::NotSent, not_sent(endpoint, message)),
        Err(mismatch) => (result(&mismatch), reason(&mismatch, endpoint, message)),
    };
    EndpointExplanationOut {
        endpoint_id: endpoint.id,
        msg_id: message.id,
        result,
        reason,
        attempts: 0,
        next_attempt: None,
    }
}

const fn result(mismatch: &Mismatch) -> EndpointExplanationResult {
    match mismatch {
        Mismatch::Disabled => EndpointExplanationResult::Disabled,
        Mismatch::EventType => EndpointExplanationResult::EventType,
        Mismatch::Channels => EndpointExplanationResult::Channels,
        Mismatch::Filter => EndpointExplanationResult::Filter,
        Mismatch::NotEvaluated(_) => EndpointExplanationResult::FilterNotEvaluated,
        Mismatch::InvalidFilter(_) => EndpointExplanationResult::FilterInvalid,
    }
}

/// Why the endpoint does not get the message, for people.
pub(in crate::operations) fn reason(
    mismatch: &Mismatch,
    endpoint: &Endpoint,
    message: &Message,
) -> String {
    match mismatch {
        Mismatch::Disabled => "the endpoint is disabled".to_owned(),
        Mismatch::EventType => {
            format!("the endpoint does not receive the event type `{}`", message.event_type)
        },
        Mismatch::Channels => {
            let wanted = endpoint.channels.as_deref().unwrap_or_default().join("`, `");
            let has = match message.channels.as_slice() {
                [] => "no channels".to_owned(),
                channels => format!("`{}`", channels.join("`, `")),
            };
            format!("the endpoint receives only the channels `{wanted}`, and the message has {has}")
        },
        Mismatch::Filter => "the filter is false for this message".to_owned(),
        Mismatch::NotEvaluated(error) => {
            format!("the filter cannot be evaluated for this message: {error}")
        },
        Mismatch::InvalidFilter(error) => {
            format!("the stored filter is not valid; change it: {error}")
        },
    }
}

fn not_sent(endpoint: &Endpoint, message: &Message) -> String {
    let accepted = message.created_at();
    let cause = if endpoint.created_at > accepted {
        "the endpoint was created after the message was accepted"
    } else if endpoint.updated_at > accepted {
        "the endpoint was changed after the message was accepted"
    } else {
        "the message was sent to another endpoint only, or its delivery is no longer stored"
    };
    format!("the endpoint would get the message now, but {cause}; it can be resent")
}
