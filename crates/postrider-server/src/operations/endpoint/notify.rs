//! Operational webhooks about changes of endpoints: ordinary messages to the applications that
//! listen to the organization that the endpoint belongs to.

use bytes::Bytes;
use postrider::{
    EventTypeName,
    api::{
        OperationalEvent,
        event::{DisabledTrigger, EndpointData, EndpointDisabledData},
    },
};
use postrider_core::{
    catalog::{Application, Endpoint},
    message::Format,
};
use postrider_engine::Submission;

use crate::{
    api::{convert::to_wire, error::ApiError},
    operations::call::Call,
};

/// A change of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Updated,
    Deleted,
    Enabled,
    Disabled,
}

/// Reports a change to the operator. The change has been made, so a failure is
/// logged, and not returned to the client.
pub(super) async fn send(call: &Call, of: &Application, endpoint: &Endpoint, change: Change) {
    if let Err(error) = try_send(call, of, endpoint, change).await {
        tracing::warn!(endpoint.id = %endpoint.id, %error, "operational message was not stored");
    }
}

async fn try_send(
    call: &Call,
    of: &Application,
    endpoint: &Endpoint,
    change: Change,
) -> Result<(), ApiError> {
    let listeners = call.engine().operational_listeners(&of.organization).await?;
    if listeners.is_empty() {
        return Ok(());
    }
    let event = event(call, of, endpoint, change);
    let json = serde_json::to_vec(&event).map_err(|error| ApiError::Internal(error.into()))?;
    let body = Bytes::from(json);
    for entry in listeners {
        let submission = Submission {
            entry,
            event_type: event.name().parse::<EventTypeName>().expect("our names are names"),
            event_id: None,
            channels: Vec::new(),
            tags: Vec::new(),
            body: body.clone(),
            format: Format::Json,
            deliver_at: None,
            body_until: call.now + call.settings().payload_retention,
            trace: None,
            idempotency: None,
            only: None,
            history: None,
        };
        call.engine().submit(submission).await?;
    }
    Ok(())
}

fn event(call: &Call, of: &Application, endpoint: &Endpoint, change: Change) -> OperationalEvent {
    let data = EndpointData {
        app_id: of.id,
        app_uid: of.uid.clone(),
        endpoint_id: endpoint.id,
        endpoint_uid: endpoint.uid.clone(),
    };
    match change {
        Change::Created => OperationalEvent::EndpointCreated(data),
        Change::Updated => OperationalEvent::EndpointUpdated(data),
        Change::Deleted => OperationalEvent::EndpointDeleted(data),
        Change::Enabled => OperationalEvent::EndpointEnabled(data),
        Change::Disabled => OperationalEvent::EndpointDisabled(EndpointDisabledData {
            app_id: data.app_id,
            app_uid: data.app_uid,
            endpoint_id: data.endpoint_id,
            endpoint_uid: data.endpoint_uid,
            fail_since: to_wire(call.now),
            trigger: DisabledTrigger::Manual,
        }),
    }
}
