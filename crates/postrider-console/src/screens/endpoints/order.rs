//! The order of an endpoint: its next message, pausing, skipping and retrying.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{
    EndpointOrdering, EndpointOut, EndpointPatch,
    destination::{EventOut, SkipIn},
};

use super::subject::{Subject, pending};
use crate::{
    api::v1,
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Tone},
    ui::{self, Icon},
    viewer::Action,
};

/// The next message of an endpoint that is called in order, or is paused.
pub(super) async fn next(
    context: &Context,
    subject: &Subject,
) -> Result<Option<EventOut>, Failure> {
    let is_shown = subject.endpoint.ordering == EndpointOrdering::Fifo || subject.endpoint.paused;
    if !is_shown || subject.state.pending == 0 {
        return Ok(None);
    }
    // What was pending may have ended since, or is to be delivered later.
    Ok(context.api.find::<EventOut>(subject.api(&["next-event"])).await?)
}

/// The banner of a paused endpoint.
pub(super) fn banner(subject: &Subject) -> Markup {
    if !subject.endpoint.paused || subject.endpoint.disabled {
        return Markup::default();
    }
    ui::banner(
        Tone::Warning,
        "The endpoint is paused",
        &html! {
            p { "Its " (pending(&subject.state)) " wait, and so do messages that are published now. Resume it to continue." }
        },
    )
}

/// A note that files describe the endpoint.
pub(super) fn managed(subject: &Subject) -> Markup {
    let Some(set) = &subject.endpoint.managed_by else { return Markup::default() };
    html! {
        p.soft { "Managed by files (set " (set) "): the next " code { "postrider apply" } " undoes changes that are made here." }
    }
}

/// What is sent next, and what can be done about it.
pub(super) fn section(context: &Context, subject: &Subject, next: Option<&EventOut>) -> Markup {
    let Some(next) = next else { return Markup::default() };
    let message = context.app_path(&subject.app, &["messages", &next.id.to_string()]);
    html! {
        section.section aria-label="Next message" {
            div.section-head {
                h2 { "Next message" }
                @if context.may(Action::ManageEndpoints) {
                    div.buttons { (retry(context, subject)) (skipping(context, subject, next)) }
                }
            }
            p {
                a href=(context.link(&message)) { (next.event_type) }
                ", accepted " (ui::time(context, next.timestamp)) " "
                (ui::id(&next.id.to_string()))
            }
            @if subject.endpoint.ordering == EndpointOrdering::Fifo {
                p { "All later messages wait until it has been delivered or skipped." }
            }
        }
    }
}

fn retry(context: &Context, subject: &Subject) -> Markup {
    let path = subject.path(context, &["retry"]);
    ui::action_button(context, &path, (Icon::Repeat, "Retry now"), &[])
}

fn skipping(context: &Context, subject: &Subject, next: &EventOut) -> Markup {
    let confirm = ui::form::Confirm {
        id: "skip",
        button: "Skip",
        shape: Icon::Cross,
        title: "Skip this message?",
        submit: "Skip message",
        path: &subject.path(context, &["skip"]),
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! {
            p { "The delivery of this message to the endpoint is cancelled, and the next message is sent." }
            p { "To send it after all, resend it: it is then delivered outside the order." }
            input type="hidden" name="until" value=(next.id);
        },
    )
}

pub(super) async fn pause(context: Arc<Context>, _: Form) -> ActionResult {
    set_paused(&context, true).await?;
    Ok(Outcome::done(own(&context), "The endpoint has been paused. Its messages wait."))
}

pub(super) async fn resume(context: Arc<Context>, _: Form) -> ActionResult {
    set_paused(&context, false).await?;
    Ok(Outcome::done(own(&context), "The endpoint has been resumed."))
}

async fn set_paused(context: &Context, paused: bool) -> Result<(), Failure> {
    let (app, endpoint) = (context.app(), context.param("endpoint"));
    let path = v1(&["app", &app, "endpoint", endpoint]);
    let body = EndpointPatch { paused: Some(paused), ..EndpointPatch::default() };
    context.api.send::<EndpointOut>(Method::PATCH, path, &body).await?;
    Ok(())
}

/// Skips the message that the page showed, even if another one is next by now.
pub(super) async fn skip(context: Arc<Context>, form: Form) -> ActionResult {
    let (app, endpoint) = (context.app(), context.param("endpoint"));
    let iterator = form.text("until").map(ToOwned::to_owned);
    let path = v1(&["app", &app, "endpoint", endpoint, "skip"]);
    context.api.post::<()>(path, &SkipIn { iterator }).await?;
    Ok(Outcome::done(own(&context), "The message has been skipped."))
}

pub(super) async fn force_retry(context: Arc<Context>, _: Form) -> ActionResult {
    let (app, endpoint) = (context.app(), context.param("endpoint"));
    let path = v1(&["app", &app, "endpoint", endpoint, "force-retry"]);
    context.api.post::<()>(path, &serde_json::json!({})).await?;
    Ok(Outcome::done(own(&context), "What waits is being sent now."))
}

fn own(context: &Context) -> String {
    context.app_path(&context.app(), &["endpoints", context.param("endpoint")])
}
