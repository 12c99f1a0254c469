//! Entries of the feed as rows.

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{
    IngestLogOut, OrganizationAttemptOut, OrganizationMessageOut, live::LiveStateOut,
};

use super::{
    super::messages::{
        attempt::explain::label,
        names::{Names, app_link},
    },
    sse::Event,
};
use crate::{
    context::Context,
    page::Tone,
    theme::Zone,
    ui::{self, Icon, icon, state},
};

/// An entry.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Message(Box<OrganizationMessageOut>),
    Attempt(Box<OrganizationAttemptOut>),
    Rejection(Box<IngestLogOut>),
    State(Box<LiveStateOut>),
}

impl Entry {
    /// The entry in an event of the API; none if it is something else.
    pub(super) fn read(event: &Event) -> Option<Self> {
        let data = event.data.as_str();
        match event.name.as_str() {
            "message" => serde_json::from_str(data).ok().map(Self::Message),
            "attempt" => serde_json::from_str(data).ok().map(Self::Attempt),
            "rejection" => serde_json::from_str(data).ok().map(Self::Rejection),
            "state" => serde_json::from_str(data).ok().map(Self::State),
            _ => None,
        }
    }

    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Message(it) => it.msg.timestamp,
            Self::Attempt(it) => it.attempt.timestamp,
            Self::Rejection(it) => it.created_at,
            Self::State(it) => it.timestamp,
        }
    }

    /// The id of what the entry is about, which is also that of its event.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Message(it) => it.msg.id.to_string(),
            Self::Attempt(it) => it.attempt.id.to_string(),
            Self::Rejection(it) => it.id.to_string(),
            Self::State(it) => format!("{}-{}", it.endpoint_id, it.timestamp),
        }
    }

    /// The application, if the entry has one.
    pub(super) fn app(&self) -> Option<String> {
        match self {
            Self::Message(it) => Some(it.app_id.to_string()),
            Self::Attempt(it) => Some(it.app_id.to_string()),
            Self::State(it) => Some(it.app_id.to_string()),
            Self::Rejection(_) => None,
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Message(it) => format!("/apps/{}/messages/{}", it.app_id, it.msg.id),
            Self::Attempt(it) => {
                let attempt = &it.attempt;
                format!("/apps/{}/messages/{}/attempts/{}", it.app_id, attempt.msg_id, attempt.id)
            },
            Self::Rejection(it) => format!("/sources/{}/rejected", it.source_id),
            Self::State(it) => format!("/apps/{}/endpoints/{}", it.app_id, it.endpoint_id),
        }
    }
}

/// The row of an entry.
pub(super) fn row(context: &Context, entry: &Entry, names: &Names) -> Markup {
    let is_local = context.preferences.zone == Zone::Local;
    html! {
        li.feed-row data-id=(entry.id()) {
            time.feed-time datetime=(entry.at()) title=(ui::time::exact(entry.at())) data-clock[is_local] {
                (entry.at().strftime("%H:%M:%S"))
            }
            span.feed-kind { (kind(entry)) }
            a.feed-what href=(context.link(&entry.path())) { (what(entry)) }
            span.feed-detail { (detail(entry)) }
            span.feed-app { @if let Some(app) = entry.app() { (app_link(context, names, &app)) } }
            button.plain.pin type="button" data-pin aria-pressed="false" aria-label="Pin" title="Pin" { (icon(Icon::Pin)) }
        }
    }
}

fn kind(entry: &Entry) -> Markup {
    match entry {
        Entry::Message(_) => state::badge(Tone::Neutral, Icon::Messages, "Message"),
        Entry::Attempt(it) => state::response_code(it.attempt.response_status_code),
        Entry::Rejection(it) if it.duplicate_of.is_some() => {
            state::badge(Tone::Neutral, Icon::Copy, "Duplicate")
        },
        Entry::Rejection(_) => state::badge(Tone::Warning, Icon::Shield, "Rejected"),
        Entry::State(_) => state::badge(Tone::Warning, Icon::Endpoints, "State"),
    }
}

fn what(entry: &Entry) -> Markup {
    match entry {
        Entry::Message(it) => html! { (it.msg.event_type) },
        Entry::Attempt(it) => html! { (it.event_type) },
        Entry::Rejection(it) => html! { (it.method) " " (it.target) },
        Entry::State(it) => html! { (change(it.event_type.as_str())) },
    }
}

fn detail(entry: &Entry) -> Markup {
    match entry {
        Entry::Message(it) => {
            html! { @match &it.msg.event_id { Some(event) => (event), None => (it.msg.id) } }
        },
        Entry::Attempt(it) => {
            let took = ui::millis(it.attempt.response_duration_ms.unsigned_abs());
            let cause = it.cause.filter(|_| it.attempt.response_status_code == 0);
            html! { (it.attempt.url) " · " (took) @if let Some(cause) = cause { " · " (label(cause)) } }
        },
        Entry::Rejection(it) => html! { (it.error_text) },
        Entry::State(it) => html! { (it.endpoint_id) },
    }
}

/// A change in words.
fn change(event_type: &str) -> &str {
    match event_type {
        "endpoint.created" => "Endpoint created",
        "endpoint.updated" => "Endpoint changed",
        "endpoint.deleted" => "Endpoint deleted",
        "endpoint.enabled" => "Endpoint enabled",
        "endpoint.disabled" => "Endpoint disabled",
        "message.attempt.exhausted" => "Delivery failed finally",
        "message.attempt.failing" => "Delivery keeps failing",
        "message.attempt.recovered" => "Delivery recovered",
        other => other,
    }
}
