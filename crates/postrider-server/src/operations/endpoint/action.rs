//! Statistics of endpoints, recovery, and examples.

use std::time::Duration;

use bytes::Bytes;
use postrider::{
    ApplicationId, EndpointId, EventTypeName,
    api::{
        Capability, EndpointStats, EventExampleIn, MessageOut, Permission, RecoverIn, RecoverOut,
    },
};
use postrider_core::{
    catalog::{Endpoint, Resend, ResendFilter, ResendPurpose, Work},
    delivery::StatusKind,
    message::Format,
    schema_example,
    time::Timestamp,
};
use postrider_engine::{Submission, Submitted};
use postrider_store::IdOrUid;

use crate::{
    api::{
        access::Access,
        body::Json,
        convert::resend_mode,
        error::ApiError,
        operation::{BodySize, operations},
        query::query,
        reply::{Accepted, Done},
    },
    operations::{
        call::{self, Call},
        event_type::builtin::{self, PING},
        message::payload,
        render, task,
    },
};

/// How far statistics look back by default.
const STATS_SPAN: Duration = Duration::from_secs(28 * 24 * 60 * 60);

operations! {
    tag "Endpoint";

    /// Count an endpoint's deliveries
    GetStats "v1.endpoint.get-stats" = GET "/api/v1/app/{app_id}/endpoint/{endpoint_id}/stats"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        query { StatsQuery }
        -> Done<EndpointStats> = get_stats,
        access(Access::Application(Capability::ViewBase)),
        needs(Permission::Read);

    /// Resend the deliveries that failed or were cancelled since a time
    Recover "v1.endpoint.recover" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/recover"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<RecoverIn> }
        -> Accepted<RecoverOut> = recover,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);

    /// Send an example to an endpoint
    SendExample "v1.endpoint.send-example" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/send-example"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<EventExampleIn> }
        -> Done<MessageOut> = send_example,
        access(Access::Application(Capability::CreateAttempts)),
        body_size(BodySize::Message),
        needs(Permission::Operate);
}

query! {
    StatsQuery {
        /// Start of the period in which the messages were accepted; 28 days ago if absent.
        since: Option<Timestamp>,
        /// End of the period, exclusive; now if absent.
        until: Option<Timestamp>,
    }
}

async fn get_stats(call: Call, input: GetStats) -> Result<Done<EndpointStats>, ApiError> {
    let GetStats { app_id, endpoint_id, query } = input;
    let entry = call.application(&app_id).await?;
    let application = entry.application.id;
    let endpoint = call::endpoint(&entry, &endpoint_id)?.id;
    let until = query.until.unwrap_or(Timestamp::MAX);
    let latest = until.min(call.now).as_millis();
    let span = u64::try_from(STATS_SPAN.as_millis()).unwrap_or(u64::MAX);
    let since = query.since.unwrap_or(Timestamp::from_millis(latest.saturating_sub(span)));
    if since >= until {
        return Err(ApiError::invalid(&["query", "since"], "must be earlier than `until`"));
    }
    let stats = call.store().stats(application, endpoint, since, until).await?;
    let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Done(EndpointStats {
        success: count(stats.delivered),
        pending: count(stats.pending),
        sending: count(stats.sending),
        fail: count(stats.failed),
        canceled: count(stats.cancelled),
    }))
}

async fn recover(call: Call, input: Recover) -> Result<Accepted<RecoverOut>, ApiError> {
    let Recover { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = enabled(&*call::endpoint(&entry, &endpoint_id)?)?;
    let resend = Resend {
        purpose: ResendPurpose::Recover,
        application: Some(entry.application.id),
        endpoints: vec![endpoint],
        filter: ResendFilter {
            period: task::period(&call, body.since, body.until)?,
            statuses: vec![StatusKind::Failed, StatusKind::Cancelled],
            event_types: Vec::new(),
            channel: None,
            tag: None,
            cause: None,
        },
        mode: resend_mode(body.retry),
    };
    Ok(Accepted(task::started(&task::begin(&call, Work::Resend(resend)).await?)))
}

/// The endpoint's id, unless it is disabled: then nothing can be sent to it.
pub(in crate::operations) fn enabled(endpoint: &Endpoint) -> Result<EndpointId, ApiError> {
    if endpoint.disabled {
        let detail = "the endpoint is disabled; enable it first".to_owned();
        return Err(ApiError::Bad { code: "endpoint_disabled", detail });
    }
    Ok(endpoint.id)
}

async fn send_example(call: Call, input: SendExample) -> Result<Done<MessageOut>, ApiError> {
    let SendExample { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = enabled(&*call::endpoint(&entry, &endpoint_id)?)?;
    let event_type = body.event_type.parse::<EventTypeName>();
    let event_type =
        event_type.map_err(|error| ApiError::invalid(&["body", "eventType"], error.to_string()))?;
    let payload = match &body.payload {
        Some(payload) if payload::is_object(payload.get()) => payload.get().to_owned(),
        Some(_) => return Err(ApiError::invalid(&["body", "payload"], payload::OBJECT)),
        None => example(&call, &event_type, body.example_index.unwrap_or_default()).await?,
    };
    payload::check_length(&payload, &call.settings().limits)?;
    call.quotas().count_message(call.reader(), &entry, call.now).await?;
    let submission = Submission {
        entry,
        event_type,
        event_id: None,
        channels: Vec::new(),
        tags: Vec::new(),
        body: Bytes::from(payload),
        format: Format::Json,
        deliver_at: None,
        body_until: call.now + call.settings().payload_retention,
        trace: None,
        idempotency: call.idempotency.map(|key| key.digest),
        only: Some(endpoint),
        history: None,
    };
    let application = submission.entry.application.id;
    match call.engine().submit(submission).await? {
        Submitted::Accepted(message) => Ok(Done(render::message(&message, true))),
        Submitted::Repeated(id) | Submitted::EventIdTaken(id) => {
            let message = call.store().message(application, &IdOrUid::Id(id)).await?;
            let message = message.ok_or(ApiError::NotFound("message"))?;
            Ok(Done(render::message(&message, true)))
        },
    }
}

/// An example of the event type, from its schema.
async fn example(call: &Call, name: &EventTypeName, index: usize) -> Result<String, ApiError> {
    let Some(event_type) = builtin::find(call, name).await? else {
        if name.as_str() == PING {
            return Ok(r#"{"success":true}"#.to_owned());
        }
        return Err(ApiError::NotFound("event type"));
    };
    let schemas = event_type.schemas.as_deref().unwrap_or("{}");
    let refused = |message: &str| ApiError::invalid(&["body", "eventType"], message);
    let found = schema_example::of(schemas, index).ok_or_else(|| {
        refused("the event type has no schema with such an example; send a `payload`")
    })?;
    if !payload::is_object(&found) {
        return Err(refused("the example in the schema is not a JSON object; send a `payload`"));
    }
    Ok(found)
}
