//! Stored records as responses show them.

use postrider::{
    EndpointId,
    api::{
        self, ApplicationOut, EndpointBatch, EndpointKind, EndpointMessageOut, EndpointOrdering,
        EndpointOut, EndpointSigning, EventTypeOut, EventTypes, FeatureFlags, MessageAttemptOut,
        MessageEndpointOut, MessageOut, MessageStatus, Metadata, ShadowRequestOut, ThrottleRate,
        TriggerType,
        attempt::EXPUNGED,
        endpoint::VERSION,
        ingest::{ModelText, SourceSecret},
        message,
        transformation::{AttemptTransformationOut, TransformedRequestOut},
    },
};
use postrider_core::{
    catalog::{
        Application, ApplicationMode, BatchLimits, Endpoint, EventType, Ordering, Signing,
        SigningSecret,
    },
    delivery::{Attempt, Response, ShadowRequest, Status, Transformed, Trigger},
    kind::MASK,
    message::{Format, Message},
    outcome::Outcome,
    retry::AttemptLimit,
    time::Timestamp,
};
use postrider_store::DeliveryRow;
use serde_json::value::RawValue;

use crate::{api::convert::to_wire, operations::status};

pub(crate) fn application(it: Application) -> ApplicationOut {
    ApplicationOut {
        managed_by: it.managed_by,
        id: it.id,
        name: it.name,
        uid: it.uid,
        throttle_rate: ThrottleRate(rate(it.throttle_rate)),
        mode: match it.mode {
            ApplicationMode::Live => api::ApplicationMode::Live,
            ApplicationMode::Shadow => api::ApplicationMode::Shadow,
        },
        metadata: it.metadata,
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    }
}

/// An endpoint without its configuration.
pub(crate) fn endpoint(it: &Endpoint) -> EndpointOut {
    EndpointOut {
        managed_by: it.managed_by.clone(),
        id: it.id,
        url: it.url.clone(),
        kind: it.kind,
        config: None,
        uid: it.uid.clone(),
        description: it.description.clone(),
        disabled: it.disabled,
        event_types: EventTypes(it.event_types.clone()),
        channels: it.channels.clone(),
        filter: it.filter.clone(),
        throttle_rate: ThrottleRate(rate(it.throttle_rate)),
        ordering: match it.ordering {
            // Its log has an order, whatever the field says.
            Ordering::Any if it.kind == EndpointKind::Polling => EndpointOrdering::Fifo,
            Ordering::Any => EndpointOrdering::Any,
            Ordering::Fifo => EndpointOrdering::Fifo,
        },
        strict_rate: it.strict_rate,
        batch: it.batch.map(batch),
        paused: it.paused,
        skip_after: skip_after(it.attempt_limit),
        trusted_certificates: it.trusted_certificates.clone(),
        forward_trace_context: it.forward_trace_context,
        authentication: None,
        signing: it.signing.as_deref().map(signing),
        metadata: it.metadata.clone(),
        version: VERSION,
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    }
}

const fn batch(limits: BatchLimits) -> EndpointBatch {
    EndpointBatch { size: limits.size, max_wait_seconds: limits.max_wait_seconds }
}

const fn skip_after(limit: AttemptLimit) -> Option<u16> {
    match limit {
        AttemptLimit::Schedule => None,
        AttemptLimit::Unlimited => Some(0),
        AttemptLimit::Attempts(count) => Some(count),
    }
}

/// A deleted endpoint. Its id contains the time of its creation.
pub(crate) fn deleted_endpoint(id: EndpointId, url: Option<String>) -> EndpointOut {
    let created_at = to_wire(Timestamp::from_millis(id.millis()));
    EndpointOut {
        managed_by: None,
        id,
        url: url.unwrap_or_default(),
        kind: EndpointKind::Http,
        config: None,
        uid: None,
        description: String::new(),
        disabled: true,
        event_types: EventTypes(None),
        channels: None,
        filter: None,
        throttle_rate: ThrottleRate(None),
        ordering: EndpointOrdering::Any,
        strict_rate: false,
        batch: None,
        paused: false,
        skip_after: None,
        trusted_certificates: None,
        forward_trace_context: false,
        authentication: None,
        signing: None,
        metadata: Metadata::new(),
        version: VERSION,
        created_at,
        updated_at: created_at,
    }
}

/// Rates have 16 bits in requests.
pub(crate) fn rate(rate: Option<u32>) -> Option<u16> {
    rate.map(|it| u16::try_from(it).unwrap_or(u16::MAX))
}

pub(crate) fn event_type(it: EventType, with_content: bool) -> EventTypeOut {
    let schemas = it.schemas.filter(|_| with_content);
    EventTypeOut {
        managed_by: it.managed_by,
        name: it.name,
        description: it.description,
        archived: it.archived,
        deprecated: it.deprecated,
        schemas: schemas.and_then(|text| RawValue::from_string(text).ok()),
        schema_validation: it.schema_validation,
        group_name: it.group_name,
        feature_flags: FeatureFlags(Some(it.feature_flags).filter(|it| !it.is_empty())),
        created_at: to_wire(it.created_at),
        updated_at: to_wire(it.updated_at),
    }
}

pub(crate) fn message(it: &Message, with_content: bool) -> MessageOut {
    MessageOut {
        id: it.id,
        event_type: it.event_type.clone(),
        event_id: it.event_id.clone(),
        payload: payload(it, with_content),
        channels: some(&it.channels),
        tags: some(&it.tags),
        deliver_at: it.deliver_at.map(to_wire),
        timestamp: to_wire(it.created_at()),
    }
}

fn payload(it: &Message, with_content: bool) -> Box<RawValue> {
    if !with_content {
        return message::omitted_payload();
    }
    let Some(body) = &it.body else { return message::expired() };
    let text = String::from_utf8_lossy(body);
    match &it.format {
        Format::Json => {
            RawValue::from_string(text.into_owned()).unwrap_or_else(|_| message::omitted_payload())
        },
        Format::Raw { .. } => message::raw(&text),
    }
}

fn some(words: &[String]) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.to_vec())
}

/// The details of an attempt that were requested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    pub(crate) content: bool,
    pub(crate) message: bool,
}

pub(crate) fn attempt(it: Attempt, of: &Message, detail: Detail) -> MessageAttemptOut {
    let status = if it.outcome.delivered() { MessageStatus::Success } else { MessageStatus::Fail };
    let mut response = it.response.filter(|_| detail.content);
    let note = response.as_mut().and_then(Response::take_note);
    let transformed = response.as_mut().and_then(Response::take_transformed);
    let shadow = response.as_mut().and_then(Response::take_shadow);
    let (headers, body) = match response {
        Some(it) => (Some(it.headers), String::from_utf8_lossy(&it.body).into_owned()),
        None if detail.content => (None, EXPUNGED.to_owned()),
        None => (None, String::new()),
    };
    MessageAttemptOut {
        id: it.id,
        msg_id: it.delivery.message,
        endpoint_id: it.delivery.endpoint,
        url: it.url,
        response: body,
        response_status_code: status_code(it.outcome),
        response_duration_ms: i64::try_from(it.duration.as_millis()).unwrap_or(i64::MAX),
        status,
        status_text: status.text(),
        trigger_type: match it.trigger {
            Trigger::Scheduled => TriggerType::Scheduled,
            Trigger::Manual => TriggerType::Manual,
        },
        timestamp: to_wire(it.at),
        msg: detail.message.then(|| message(of, false)),
        response_headers: headers,
        response_note: note,
        address: it.address.map(|it| it.to_string()),
        transformation: transformed.map(transformation),
        shadow: shadow.map(shadow_request),
    }
}

fn shadow_request(it: ShadowRequest) -> ShadowRequestOut {
    let ShadowRequest { method, url, headers } = it;
    ShadowRequestOut { method, url, headers }
}

/// What the transformation of an endpoint made of a delivery.
pub(crate) fn transformation(it: Transformed) -> AttemptTransformationOut {
    let Transformed { request, is_cancelled, console } = it;
    let request = request.map(|it| TransformedRequestOut {
        method: it.method,
        url: it.url,
        headers: it.headers,
        body: it.body,
        is_truncated: it.is_truncated,
    });
    AttemptTransformationOut { cancelled: is_cancelled, request, console }
}

fn status_code(outcome: Outcome) -> i16 {
    match outcome {
        Outcome::Answered { status, .. } => i16::try_from(status).unwrap_or_default(),
        Outcome::Unanswered(_) => 0,
    }
}

pub(crate) fn endpoint_message(
    row: &DeliveryRow,
    with_content: bool,
    expanded: bool,
) -> EndpointMessageOut {
    let (status, next_attempt) = status::shown(row.status, expanded);
    let it = message(&row.message, with_content);
    EndpointMessageOut {
        id: it.id,
        event_type: it.event_type,
        event_id: it.event_id,
        payload: it.payload,
        channels: it.channels,
        tags: it.tags,
        deliver_at: it.deliver_at,
        status,
        status_text: status.text(),
        next_attempt,
        timestamp: it.timestamp,
    }
}

pub(crate) fn message_endpoint(
    delivery: Status,
    it: EndpointOut,
    expanded: bool,
) -> MessageEndpointOut {
    let (status, next_attempt) = status::shown(delivery, expanded);
    MessageEndpointOut {
        id: it.id,
        url: it.url,
        uid: it.uid,
        description: it.description,
        disabled: it.disabled,
        event_types: it.event_types,
        channels: it.channels,
        throttle_rate: it.throttle_rate,
        version: it.version,
        created_at: it.created_at,
        updated_at: it.updated_at,
        status,
        status_text: status.text(),
        next_attempt,
        filtered: None,
    }
}

/// The signing profile of an endpoint, without its secrets.
pub(in crate::operations) fn signing(signing: &Signing) -> EndpointSigning {
    let secret =
        |it: &SigningSecret| SourceSecret { key: MASK.to_owned(), until: it.until.map(to_wire) };
    EndpointSigning {
        profile: signing.profile.clone(),
        model: signing.model.clone().map(ModelText),
        standard: signing.standard,
        secrets: Some(signing.secrets.iter().map(secret).collect()),
    }
}
