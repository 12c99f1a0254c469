//! A message.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    EndpointOut, ListResponse, MessageAttemptOut, MessageEndpointOut, MessageOut, MessageStatus,
};

use super::{
    journey::{Journey, journey},
    names::Names,
    payload, resend, schedule,
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::{Page, PageResult, Section},
    ui::{self, Icon, form::Confirm, icon},
    viewer::Action,
};

/// Attempts that are shown.
const MAX_ATTEMPTS: usize = 100;

/// Longest payload that can be edited in a page.
pub(super) const MAX_EDITED: usize = ui::code::MAX_SHOWN;

pub(crate) async fn page(context: Arc<Context>) -> PageResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let (found, payload, name) = tokio::join!(
        read(&context, &app, &message),
        payload::read(&context, &app, &message),
        name(&context, &app),
    );
    let (it, payload) = (found?, payload?);
    let id = it.message.id.to_string();
    let object = v1(&["app", &app, "msg", &id]);
    let command = format!("postrider message get {app} {id}");
    Ok(crumbs(
        Page::new(Section::Messages, it.message.event_type.to_string()),
        &context,
        &app,
        &name,
    )
    .lead(html! { (ui::id(&id)) span { "accepted " (ui::time(&context, it.message.timestamp)) } })
    .actions(actions(&context, &it, payload.as_deref()))
    .live("schedule", schedule::notice(&context, &it))
    .part(facts(&it.message, payload.as_deref()))
    .live("journey", journey(&context, &it))
    .part(html! {
        (content(&context, &it, payload.as_deref()))
        (ui::api_panel(&context, &it.message, &object, Some(&command)))
    }))
}

/// The pages above a message.
pub(super) fn crumbs(page: Page, context: &Context, app: &str, name: &str) -> Page {
    let list = context.app_path(app, &["messages"]);
    if context.is_portal() {
        return page.crumb("Messages", list);
    }
    page.crumb("Applications", "/apps").crumb(name, format!("/apps/{app}")).crumb("Messages", list)
}

/// The name of the application; the portal does not show it.
pub(super) async fn name(context: &Context, app: &str) -> String {
    if context.is_portal() {
        return String::new();
    }
    Names::read(context, [app.to_owned()]).await.of(app).to_owned()
}

async fn read(context: &Context, app: &str, message: &str) -> Result<Journey, ApiFailure> {
    let api = &context.api;
    let of_message = |segment| v1(&["app", app, "msg", message, segment]);
    let attempts = v1(&["app", app, "attempt", "msg", message]).with("limit", MAX_ATTEMPTS);
    let (message, deliveries, attempts, endpoints) = tokio::try_join!(
        api.get::<MessageOut>(v1(&["app", app, "msg", message]).with("with_content", false)),
        api.get::<ListResponse<MessageEndpointOut>>(
            of_message("endpoint").with("limit", 250).with("expanded_statuses", true)
        ),
        api.get::<ListResponse<MessageAttemptOut>>(attempts),
        api.get::<ListResponse<EndpointOut>>(v1(&["app", app, "endpoint"]).with("limit", 250)),
    )?;
    Ok(Journey {
        app: app.to_owned(),
        message,
        deliveries: deliveries.data,
        has_all_attempts: attempts.done,
        attempts: attempts.data,
        endpoints: endpoints.data,
    })
}

fn actions(context: &Context, it: &Journey, payload: Option<&str>) -> Markup {
    let path =
        |segment| context.app_path(&it.app, &["messages", &it.message.id.to_string(), segment]);
    let is_editable = payload.is_some_and(|it| it.len() <= MAX_EDITED);
    html! {
        (schedule::actions(context, it))
        @if is_editable && context.may(Action::Publish) {
            a.button.secondary href=(context.link(&path("again"))) { (icon(Icon::Send)) "Edit and send as new" }
        }
        @if context.may(Action::CreateAttempts) && payload.is_some() { (resend::dialog(context, it)) }
    }
}

fn facts(message: &MessageOut, payload: Option<&str>) -> Markup {
    let words = |words: &Option<Vec<String>>| {
        let words = words.as_deref().unwrap_or_default();
        html! { @if words.is_empty() { span.soft { "None" } } @else { @for it in words { span.word { (it) } } } }
    };
    ui::facts(&[
        (
            "Event id",
            html! { @match &message.event_id { Some(it) => (ui::id(it.as_str())), None => span.soft { "None" } } },
        ),
        ("Channels", words(&message.channels)),
        ("Tags", words(&message.tags)),
        (
            "Payload",
            html! { @match payload { Some(it) => (ui::bytes(it.len() as u64)), None => "Expired or deleted" } },
        ),
    ])
}

fn content(context: &Context, it: &Journey, payload: Option<&str>) -> Markup {
    let id = it.message.id.to_string();
    let path = |segment| context.app_path(&it.app, &["messages", &id, segment]);
    html! {
        section.section.payload aria-labelledby="payload-title" {
            div.section-head {
                h2 #payload-title { "Payload" }
                @if payload.is_some() {
                    div.buttons {
                        a.button.plain href=(context.link(&path("payload"))) download { (icon(Icon::Down)) "Download" }
                        @if context.may(Action::Operate) { (expunge(context, &path("expunge"), it)) }
                    }
                }
            }
            @match payload {
                Some(text) => (ui::code::json("JSON", text, Some(&context.link(&path("payload"))))),
                None => (ui::empty("The payload is gone", &html! {
                    p { "It has expired, or somebody deleted it. The message cannot be sent again, but its history stays." }
                })),
            }
        }
    }
}

fn expunge(context: &Context, path: &str, it: &Journey) -> Markup {
    let is_open = |it: &&MessageEndpointOut| {
        matches!(it.status, MessageStatus::Pending | MessageStatus::Sending)
    };
    let open = it.deliveries.iter().filter(is_open).count() as u64;
    let confirm = Confirm {
        id: "expunge",
        button: "Delete payload",
        shape: Icon::Cross,
        title: "Delete the payload?",
        submit: "Delete payload",
        path,
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p {
                "The payload is deleted permanently. The message and its attempts stay in the history, but it cannot be sent again."
                @if open > 0 { " Deliveries that have not ended are canceled: " (open) "." }
            }
        },
    )
}
