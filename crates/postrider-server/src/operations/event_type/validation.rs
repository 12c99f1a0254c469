//! Checks of payloads against the schemas of event types: when messages are published, and when
//! clients ask for one.

use postrider::{
    EventTypeName,
    api::{
        Permission, SchemaCheckIn, SchemaCheckOut, SchemaMismatch, SchemaProblem, SchemaReportOut,
        SchemaValidation,
    },
};
use postrider_core::{catalog::EventType, json_schema::PayloadProblem, schema_report::Mismatch};

use crate::{
    api::{
        body::Json,
        convert::to_wire,
        error::ApiError,
        operation::{BodySize, Idempotency, operations},
        problems::Problems,
        reply::Done,
    },
    operations::{call::Call, event_type::builtin, message::payload},
    schemas::{self, IncomingPayload},
};

operations! {
    tag "Event Type";

    /// Check a payload against the newest schema of an event type
    Check "v1.event-type.check" = POST "/api/v1/event-type/{event_type_name}/schema-check"
        path { event_type_name: EventTypeName }
        body { Json<SchemaCheckIn> }
        -> Done<SchemaCheckOut> = check,
        idempotency(Idempotency::Unkeyed),
        body_size(BodySize::Message),
        needs(Permission::Read);

    /// Get what was found when payloads of an event type were checked
    Report "v1.event-type.schema-report" = GET "/api/v1/event-type/{event_type_name}/schema-report"
        path { event_type_name: EventTypeName }
        -> Done<SchemaReportOut> = report,
        needs(Permission::Read);
}

async fn check(call: Call, input: Check) -> Result<Done<SchemaCheckOut>, ApiError> {
    let Check { event_type_name, body } = input;
    let text = body.payload.get();
    let mut problems = Problems::within(&["body"]);
    problems.require(payload::is_object(text), "payload", payload::OBJECT);
    problems.finish()?;
    builtin::find(&call, &event_type_name).await?.ok_or(ApiError::NotFound("event type"))?;
    let checks = &call.resources.schemas;
    let schema = checks.newest(call.engine(), call.organization(), &event_type_name).await?;
    if let Some(reason) = schema.error() {
        return Err(ApiError::Bad {
            code: "schema_unusable",
            detail: format!("the newest schema of {event_type_name} cannot be used: it {reason}"),
        });
    }
    let found = checks.check(&schema, text).await?.map(schemas::problems).unwrap_or_default();
    Ok(Done(SchemaCheckOut {
        valid: found.is_empty(),
        version: schema.version.clone(),
        problems: shown(found),
    }))
}

async fn report(call: Call, input: Report) -> Result<Done<SchemaReportOut>, ApiError> {
    let name = input.event_type_name;
    builtin::find(&call, &name).await?.ok_or(ApiError::NotFound("event type"))?;
    let (engine, organization) = (call.engine(), call.organization());
    let index = call.resources.event_types.of(engine, organization).await?;
    let checks = &call.resources.schemas;
    let schema = checks.newest(engine, organization, &name).await?;
    let report = checks.reports.of(organization, &name).await?;
    let since = report.as_ref().map(|it| to_wire(it.since));
    let findings = report.map(|it| it.findings).unwrap_or_default();
    Ok(Done(SchemaReportOut {
        validation: index.validation(&name),
        version: schema.version.clone(),
        error: schema.error().map(str::to_owned),
        since,
        valid: findings.valid,
        warned: findings.warned,
        rejected: findings.rejected,
        recent: findings.recent.into_iter().map(mismatch).collect(),
    }))
}

fn mismatch(it: Mismatch) -> SchemaMismatch {
    SchemaMismatch {
        timestamp: to_wire(it.at),
        application: it.application,
        source_id: it.source,
        event_id: it.event_id,
        message_id: it.message,
        rejected: it.is_rejected,
        problems: shown(it.problems),
    }
}

fn shown(problems: Vec<PayloadProblem>) -> Vec<SchemaProblem> {
    let shown = |PayloadProblem { pointer, message }| SchemaProblem { pointer, message };
    problems.into_iter().map(shown).collect()
}

/// Refuses a schema that payloads cannot be checked against, if they are to be checked.
pub(super) async fn check_schema(
    call: &Call,
    event_type: &EventType,
    place: &[&str],
) -> Result<(), ApiError> {
    let Some(schemas) = event_type.schemas.as_deref().filter(|_| !event_type.archived) else {
        return Ok(());
    };
    let validation = match event_type.schema_validation {
        Some(own) => own,
        None => call.engine().organization_settings(call.organization()).await?.schema_validation,
    };
    if validation.is_off() {
        return Ok(());
    }
    match call.resources.schemas.refusal(schemas).await? {
        Some(reason) => {
            let place = [place, &["schemas"]].concat();
            let message = format!("the newest schema of {} {reason}", event_type.name);
            Err(ApiError::invalid(&place, message))
        },
        None => Ok(()),
    }
}

/// A payload that is published.
#[derive(Clone, Copy, Debug)]
pub(in crate::operations) struct PublishedPayload<'a> {
    pub(in crate::operations) event_type: &'a EventTypeName,
    /// The application, as the request names it.
    pub(in crate::operations) application: &'a str,
    pub(in crate::operations) event_id: Option<&'a str>,
    pub(in crate::operations) json: &'a str,
}

/// Checks a payload, and refuses it if it does not match and is to be refused. `place` is the
/// location of the message in the request.
pub(in crate::operations) async fn check_payload(
    call: &Call,
    published: PublishedPayload<'_>,
    validation: SchemaValidation,
    place: &[&str],
) -> Result<(), ApiError> {
    let PublishedPayload { event_type, application, event_id, json } = published;
    let payload = IncomingPayload {
        organization: call.organization(),
        event_type,
        application,
        source: None,
        event_id,
        message: None,
        json,
        at: call.now,
    };
    let problems = call.resources.schemas.inspect(call.engine(), payload, validation).await?;
    if problems.is_empty() { Ok(()) } else { Err(refusal(&problems, place)) }
}

fn refusal(found: &[PayloadProblem], place: &[&str]) -> ApiError {
    let mut problems = Problems::within(place);
    for PayloadProblem { pointer, message } in found {
        let message = match pointer.as_str() {
            "" => format!("{message} (schema of the event type)"),
            pointer => format!("at {pointer}: {message} (schema of the event type)"),
        };
        problems.add(&["payload"], message);
    }
    match problems.finish() {
        Err(error) => error,
        Ok(()) => ApiError::invalid(place, "does not match the schema of the event type"),
    }
}
