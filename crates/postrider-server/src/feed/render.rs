//! Rows of the store as entries of a feed.

use std::sync::Arc;

use postrider::{
    ApplicationId, EndpointId,
    api::{OrganizationAttemptOut, OrganizationMessageOut, live::LiveStateOut},
};
use postrider_core::{
    delivery::Attempt,
    message::{Message, Rejection},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::{EntryKind, Facts, FeedEntry};
use crate::{
    api::convert::{failure_cause, to_wire},
    operations::{
        render::{self, Detail},
        source::log,
    },
};

pub(super) fn message(it: &Message) -> FeedEntry {
    let facts = Facts {
        kind: EntryKind::Message,
        application: Some(it.application),
        endpoint: None,
        event_type: Some(it.event_type.clone()),
        delivered: None,
    };
    let data = OrganizationMessageOut {
        app_id: it.application,
        app_uid: None,
        msg: render::message(it, false),
        deliveries: None,
    };
    FeedEntry::new(it.id.as_u128(), &it.id.to_string(), facts, &data)
}

pub(super) fn attempt(it: Attempt, of: &Arc<Message>) -> FeedEntry {
    let facts = Facts {
        kind: EntryKind::Attempt,
        application: Some(of.application),
        endpoint: Some(it.delivery.endpoint),
        event_type: Some(of.event_type.clone()),
        delivered: Some(it.outcome.delivered()),
    };
    let id = it.id;
    let data = OrganizationAttemptOut {
        app_id: of.application,
        app_uid: None,
        endpoint_kind: None,
        event_type: of.event_type.clone(),
        cause: it.outcome.cause().map(failure_cause),
        remedy: it.outcome.remedy().map(ToOwned::to_owned),
        attempt: render::attempt(it, of, Detail { content: false, message: false }),
    };
    FeedEntry::new(id.as_u128(), &id.to_string(), facts, &data)
}

/// A rejected request to a source of this application, without its body.
pub(super) fn rejection(it: Rejection, application: ApplicationId) -> FeedEntry {
    let facts = Facts {
        kind: EntryKind::Rejection,
        application: Some(application),
        endpoint: None,
        event_type: None,
        delivered: None,
    };
    let id = it.id;
    let it = Rejection { body: bytes::Bytes::new(), ..it };
    FeedEntry::new(id.as_u128(), &id.to_string(), facts, &log::render(it))
}

/// What an operational event is about.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    app_id: ApplicationId,
    endpoint_id: EndpointId,
}

/// The change that an operational message is about; none if its body has expired.
pub(super) fn state(it: &Message) -> Option<FeedEntry> {
    let body = it.body.as_ref()?;
    let about: About<'_> = serde_json::from_slice(body).ok()?;
    let subject: Subject = serde_json::from_str(about.data.get()).ok()?;
    let facts = Facts {
        kind: EntryKind::State,
        application: Some(subject.app_id),
        endpoint: Some(subject.endpoint_id),
        event_type: Some(it.event_type.clone()),
        delivered: None,
    };
    let data = LiveStateOut {
        event_type: it.event_type.clone(),
        app_id: subject.app_id,
        endpoint_id: subject.endpoint_id,
        data: about.data.to_owned(),
        timestamp: to_wire(it.created_at()),
    };
    Some(FeedEntry::new(it.id.as_u128(), &it.id.to_string(), facts, &data))
}
