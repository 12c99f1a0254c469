//! Resending and cancelling many deliveries.

use postrider::{
    ApplicationId, EndpointId,
    api::{
        BulkReplayIn, CancelMsgsIn, Capability, MessageStatus, RecoverOut, ReplayIn, ResendIn,
        ResendPreviewOut, ResendSampleOut, StatusCodeClass,
    },
};
use postrider_core::{
    catalog::{Resend, ResendFilter, ResendPurpose, Work},
    cause::{Cause, UnknownCause},
    delivery::StatusKind,
};
use postrider_store::{DeliveryRow, IdOrUid};

use super::{begin, period, started};
use crate::{
    api::{
        access::Access,
        body::Json,
        convert::{from_wire, resend_mode, to_wire},
        error::ApiError,
        operation::operations,
        path::id_or_uid,
        reply::{Accepted, Done, NoContent},
    },
    operations::{
        call::{self, Call},
        endpoint::action::enabled,
        status,
    },
};
use postrider::api::Permission;

/// Most endpoints and event types that a resend can name.
const MAX_NAMED: usize = 250;

operations! {
    tag "Background Tasks";

    /// Resend an endpoint's messages, also those that were delivered
    BulkReplay "v1.endpoint.bulk-replay" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/bulk-replay"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<BulkReplayIn> }
        -> Accepted<RecoverOut> = bulk_replay,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);

    /// Send the messages that an endpoint should have received and was not sent
    ReplayMissing "v1.endpoint.replay-missing" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/replay-missing"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<ReplayIn> }
        -> Accepted<RecoverOut> = replay_missing,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);

    /// Cancel an endpoint's pending deliveries
    CancelOfEndpoint "v1.endpoint.cancel-msgs" = POST "/api/v1/app/{app_id}/endpoint/{endpoint_id}/cancel-msgs"
        path { app_id: IdOrUid<ApplicationId>, endpoint_id: IdOrUid<EndpointId> }
        body { Json<CancelMsgsIn> }
        -> NoContent = cancel_of_endpoint,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);

    /// Cancel an application's pending deliveries
    CancelOfApplication "v1.application.cancel-msgs" = POST "/api/v1/app/{app_id}/cancel-msgs"
        path { app_id: IdOrUid<ApplicationId> }
        body { Json<CancelMsgsIn> }
        -> Accepted<RecoverOut> = cancel_of_application,
        access(Access::Application(Capability::CreateAttempts)),
        needs(Permission::Operate);

    /// Resend the deliveries that match a filter
    Start "v1.resend.create" = POST "/api/v1/resend"
        body { Json<ResendIn> }
        -> Accepted<RecoverOut> = start,
        needs(Permission::Operate);

    /// Count the deliveries that match a filter, without resending them
    Preview "v1.resend.preview" = POST "/api/v1/resend/preview"
        body { Json<ResendIn> }
        -> Done<ResendPreviewOut> = preview,
        needs(Permission::Read);
}

async fn bulk_replay(call: Call, input: BulkReplay) -> Result<Accepted<RecoverOut>, ApiError> {
    let BulkReplay { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let endpoint = enabled(&*call::endpoint(&entry, &endpoint_id)?)?;
    check_count(&body.event_types, "eventTypes")?;
    let ended = vec![StatusKind::Delivered, StatusKind::Failed, StatusKind::Cancelled];
    let filter = ResendFilter {
        period: period(&call, body.since, body.until)?,
        statuses: body.status.map_or(ended, |it| vec![status::kind(it)]),
        event_types: body.event_types,
        channel: body.channel,
        tag: body.tag,
        cause: body.status_code_class.map(cause_of),
    };
    let resend = Resend {
        purpose: ResendPurpose::BulkReplay,
        application: Some(entry.application.id),
        endpoints: vec![endpoint],
        filter,
        mode: resend_mode(body.retry),
    };
    Ok(Accepted(started(&begin(&call, Work::Resend(resend)).await?)))
}

const fn cause_of(class: StatusCodeClass) -> Cause {
    match class {
        StatusCodeClass::CodeNone => Cause::NoResponse,
        StatusCodeClass::Code1xx => Cause::Class(100),
        StatusCodeClass::Code2xx => Cause::Class(200),
        StatusCodeClass::Code3xx => Cause::Class(300),
        StatusCodeClass::Code4xx => Cause::Class(400),
        StatusCodeClass::Code5xx => Cause::Class(500),
    }
}

async fn replay_missing(
    call: Call,
    input: ReplayMissing,
) -> Result<Accepted<RecoverOut>, ApiError> {
    let ReplayMissing { app_id, endpoint_id, body } = input;
    let entry = call.application(&app_id).await?;
    let work = Work::ReplayMissing {
        application: entry.application.id,
        endpoint: enabled(&*call::endpoint(&entry, &endpoint_id)?)?,
        period: period(&call, body.since, body.until)?,
    };
    Ok(Accepted(started(&begin(&call, work).await?)))
}

async fn cancel_of_endpoint(call: Call, input: CancelOfEndpoint) -> Result<NoContent, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let work = Work::CancelPending {
        application: entry.application.id,
        endpoint: Some(call::endpoint(&entry, &input.endpoint_id)?.id),
        before: from_wire(input.body.created_before),
    };
    begin(&call, work).await?;
    Ok(NoContent)
}

async fn cancel_of_application(
    call: Call,
    input: CancelOfApplication,
) -> Result<Accepted<RecoverOut>, ApiError> {
    let entry = call.application(&input.app_id).await?;
    let work = Work::CancelPending {
        application: entry.application.id,
        endpoint: None,
        before: from_wire(input.body.created_before),
    };
    Ok(Accepted(started(&begin(&call, work).await?)))
}

async fn start(call: Call, input: Start) -> Result<Accepted<RecoverOut>, ApiError> {
    let resend = resend_of(&call, input.body).await?;
    Ok(Accepted(started(&begin(&call, Work::Resend(resend)).await?)))
}

async fn preview(call: Call, input: Preview) -> Result<Done<ResendPreviewOut>, ApiError> {
    let resend = resend_of(&call, input.body).await?;
    let found = call.engine().preview(call.organization(), &resend).await?;
    let samples = found.samples.into_iter().map(|(application, row)| sample(application, &row));
    Ok(Done(ResendPreviewOut {
        count: found.count,
        is_minimum: found.is_minimum,
        samples: samples.collect(),
    }))
}

fn sample(application: ApplicationId, row: &DeliveryRow) -> ResendSampleOut {
    ResendSampleOut {
        app_id: application,
        endpoint_id: row.id.endpoint,
        msg_id: row.id.message,
        event_type: row.message.event_type.clone(),
        status: status::shown(row.status, true).0,
        attempts: row.attempts,
        timestamp: to_wire(row.message.created_at()),
    }
}

async fn resend_of(call: &Call, body: ResendIn) -> Result<Resend, ApiError> {
    check_count(&body.event_types, "eventTypes")?;
    check_count(&body.endpoint_ids, "endpointIds")?;
    let cause = body.cause.as_deref().map(str::parse).transpose();
    let cause = cause
        .map_err(|error: UnknownCause| ApiError::invalid(&["body", "cause"], error.to_string()))?;
    let (application, endpoints) = scope(call, &body).await?;
    Ok(Resend {
        purpose: ResendPurpose::Filter,
        application,
        endpoints,
        mode: resend_mode(body.retry),
        filter: ResendFilter {
            period: period(call, body.since, body.until)?,
            statuses: statuses(&body.status),
            event_types: body.event_types,
            channel: body.channel,
            tag: body.tag,
            cause,
        },
    })
}

fn statuses(given: &[MessageStatus]) -> Vec<StatusKind> {
    if given.is_empty() {
        return vec![StatusKind::Failed, StatusKind::Cancelled];
    }
    let mut statuses = Vec::new();
    for kind in given.iter().copied().map(status::kind) {
        if !statuses.contains(&kind) {
            statuses.push(kind);
        }
    }
    statuses
}

/// The application and the endpoints that the body names.
async fn scope(
    call: &Call,
    body: &ResendIn,
) -> Result<(Option<ApplicationId>, Vec<EndpointId>), ApiError> {
    let Some(named) = &body.app_id else {
        if body.endpoint_ids.is_empty() {
            return Ok((None, Vec::new()));
        }
        let message = "is required with `endpointIds`";
        return Err(ApiError::invalid(&["body", "appId"], message));
    };
    let named = id_or_uid::<ApplicationId>(named).ok_or(ApiError::NotFound("application"))?;
    let entry = call.application(&named).await?;
    let endpoint = |text: &String| {
        let named = id_or_uid::<EndpointId>(text).ok_or(ApiError::NotFound("endpoint"))?;
        Ok(call::endpoint(&entry, &named)?.id)
    };
    let endpoints = body.endpoint_ids.iter().map(endpoint).collect::<Result<_, ApiError>>()?;
    Ok((Some(entry.application.id), endpoints))
}

fn check_count<T>(items: &[T], field: &str) -> Result<(), ApiError> {
    if items.len() > MAX_NAMED {
        let message = format!("has more than {MAX_NAMED} items");
        return Err(ApiError::invalid(&["body", field], message));
    }
    Ok(())
}
