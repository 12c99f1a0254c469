//! Test deliveries to endpoints, and checks whether they can be reached.

use std::sync::Arc;

use bytes::Bytes;
use postrider::{
    ApplicationId, EndpointId, EventTypeName, MessageId,
    api::{Capability, EndpointTestIn, EndpointTestOut, EndpointTestOutcome, Permission},
};
use postrider_core::{
    catalog::Endpoint,
    delivery::Response,
    message::{Format, Message},
    outcome::{Failure, Outcome},
    schema_example,
    target::Target,
};
use postrider_engine::{Entry, Report};
use postrider_store::IdOrUid;

use crate::{
    api::{
        access::Access,
        body::Json,
        error::ApiError,
        operation::{BodySize, Idempotency, operations},
        query::query,
        reply::Done,
    },
    operations::{
        call::{self, Call},
        event_type::builtin::{self, PING},
        message::payload,
        render,
    },
};

/// The payload of a test whose event type has no example.
const BUILT_IN: &str =
    r#"{"success":true,"message":"This is a test.","id":1,"name":"Test","amount":42}"#;

operations! {
    tag "Endpoint";

    /// Deliver a test message to an endpoint at once
    Test "v1.endpoint.test" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/test"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EndpointTestIn> }
        -> Done<EndpointTestOut> = test,
        access(Access::Application(Capability::CreateAttempts)),
        idempotency(Idempotency::Unkeyed),
        body_size(BodySize::Message),
        needs(Permission::Operate);

    /// Check whether an endpoint can be reached
    Check "v1.endpoint.check" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/check"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        -> Done<EndpointTestOut> = check,
        access(Access::Application(Capability::CreateAttempts)),
        idempotency(Idempotency::Unkeyed),
        needs(Permission::Operate);
}

query! {
    CheckQuery {
        /// Whether to refuse an endpoint that cannot be reached now.
        check: bool,
    }
}

async fn test(call: Call, input: Test) -> Result<Done<EndpointTestOut>, ApiError> {
    let Test { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = call::endpoint(&entry, &endpoint_id)?;
    let target = stored_target(&entry, &endpoint)?;
    let message = Arc::new(message(&call, &entry, body).await?);
    let _trial = call.trials().begin(entry.application.id).await?;
    let report = call.engine().deliver_directly(target, Arc::clone(&message)).await;
    Ok(Done(shown(report, &endpoint, Some(message.id))))
}

async fn check(call: Call, input: Check) -> Result<Done<EndpointTestOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let endpoint = call::endpoint(&entry, &input.endpoint_id)?;
    let target = stored_target(&entry, &endpoint)?;
    let _trial = call.trials().begin(entry.application.id).await?;
    let report = call.engine().check(target).await;
    Ok(Done(shown(report, &endpoint, None)))
}

fn stored_target(entry: &Entry, endpoint: &Endpoint) -> Result<Arc<Target>, ApiError> {
    entry.target(endpoint.id).cloned().ok_or_else(|| ApiError::Bad {
        code: "endpoint_not_usable",
        detail: "the stored endpoint is not usable; the log of the server says why".to_owned(),
    })
}

/// Refuses an endpoint that is about to be saved, if it cannot be reached.
pub(super) async fn require_reachable(call: &Call, endpoint: &Endpoint) -> Result<(), ApiError> {
    let _trial = call.trials().begin(endpoint.application).await?;
    // With an id of its own, because senders keep one client for each endpoint.
    let mut endpoint = Endpoint { id: call.engine().clock().endpoint_id(), ..endpoint.clone() };
    // Its access token is that of the stored endpoint, and says nothing about the URL.
    endpoint.authentication.remove_oauth();
    let target = call.engine().directory().target(&endpoint);
    let target = target.map_err(|error| ApiError::Internal(error.into()))?;
    let report = call.engine().check(Arc::new(target)).await;
    if report.outcome.delivered() {
        return Ok(());
    }
    let field = if endpoint.kind.is_http() { "url" } else { "config" };
    let EndpointTestOut { detail, .. } = shown(report, &endpoint, None);
    Err(ApiError::invalid(&["body", field], format!("cannot be reached: {detail}")))
}

async fn message(call: &Call, entry: &Entry, body: EndpointTestIn) -> Result<Message, ApiError> {
    let name = body.event_type.as_deref().unwrap_or(PING);
    let event_type = name.parse::<EventTypeName>();
    let event_type =
        event_type.map_err(|error| ApiError::invalid(&["body", "eventType"], error.to_string()))?;
    let payload = match &body.payload {
        Some(payload) if payload::is_object(payload.get()) => payload.get().to_owned(),
        Some(_) => return Err(ApiError::invalid(&["body", "payload"], payload::OBJECT)),
        None => example_of(call, &event_type).await?.unwrap_or_else(|| BUILT_IN.to_owned()),
    };
    payload::check_length(&payload, &call.settings().limits)?;
    Ok(Message {
        id: call.engine().clock().message_id(),
        application: entry.application.id,
        event_type,
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Some(Bytes::from(payload)),
        format: Format::Json,
        deliver_at: None,
        body_until: call.now,
        trace: None,
    })
}

/// The example of the event type's schema, if there is one.
async fn example_of(call: &Call, name: &EventTypeName) -> Result<Option<String>, ApiError> {
    let event_type = builtin::find(call, name).await?;
    let schemas = event_type.and_then(|it| it.schemas);
    let found = schemas.and_then(|it| schema_example::of(&it, 0));
    Ok(found.filter(|it| payload::is_object(it)))
}

fn shown(report: Report, endpoint: &Endpoint, msg_id: Option<MessageId>) -> EndpointTestOut {
    let Report { outcome, mut response, url, address, duration } = report;
    let transformed = response.take_transformed();
    let was_sent = transformed.as_ref().is_none_or(|it| it.request.is_some());
    let mut shown = EndpointTestOut {
        success: outcome.delivered(),
        outcome: word(outcome),
        detail: String::new(),
        remedy: outcome.remedy().map(str::to_owned),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        url: url.unwrap_or_else(|| endpoint.url.clone()),
        address: address.map(|it| it.to_string()),
        msg_id,
        response_status_code: None,
        response_headers: None,
        response: None,
        response_note: None,
        transformation: transformed.map(render::transformation),
    };
    let is_response = endpoint.kind.is_http() && msg_id.is_some() && was_sent;
    match outcome {
        Outcome::Answered { status, .. } if is_response => {
            add_response(&mut shown, status, response);
        },
        Outcome::Answered { .. } | Outcome::Unanswered(_) => {
            shown.detail = String::from_utf8_lossy(&response.body).into_owned();
        },
    }
    shown
}

fn add_response(shown: &mut EndpointTestOut, status: u16, mut response: Response) {
    shown.detail = format!("the receiver responded with status {status}");
    shown.response_status_code = Some(status);
    shown.response_note = response.take_note();
    shown.response = Some(String::from_utf8_lossy(&response.body).into_owned());
    shown.response_headers = Some(response.headers);
}

const fn word(outcome: Outcome) -> EndpointTestOutcome {
    match outcome {
        Outcome::Answered { .. } if outcome.delivered() => EndpointTestOutcome::Success,
        Outcome::Answered { .. } => EndpointTestOutcome::Status,
        Outcome::Unanswered(failure) => match failure {
            Failure::Resolve => EndpointTestOutcome::Resolve,
            Failure::Connect => EndpointTestOutcome::Connect,
            Failure::Tls => EndpointTestOutcome::Tls,
            Failure::Timeout => EndpointTestOutcome::Timeout,
            Failure::Forbidden => EndpointTestOutcome::Forbidden,
            Failure::Protocol => EndpointTestOutcome::Protocol,
            Failure::Rejected => EndpointTestOutcome::Rejected,
            Failure::Misconfigured => EndpointTestOutcome::Misconfigured,
            Failure::Unavailable => EndpointTestOutcome::Unavailable,
            Failure::Busy => EndpointTestOutcome::Busy,
            Failure::Transformation => EndpointTestOutcome::Transformation,
            Failure::Damaged => EndpointTestOutcome::Damaged,
        },
    }
}
