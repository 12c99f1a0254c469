//! Sends a message again, or deletes its payload.

use std::{collections::BTreeSet, sync::Arc};

use maud::{Markup, html};
use postrider::api::{EmptyOut, MessageEndpointOut, MessageStatus};

use super::journey::Journey;
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome},
    ui::{self, Icon, form, icon, state},
};

/// The button and the dialog that send the message to some of its endpoints.
pub(super) fn dialog(context: &Context, it: &Journey) -> Markup {
    let path = context.app_path(&it.app, &["messages", &it.message.id.to_string(), "resend"]);
    let enabled: Vec<_> = it.deliveries.iter().filter(|it| !it.disabled).collect();
    if enabled.is_empty() {
        return Markup::default();
    }
    html! {
        button type="button" popovertarget="resend" aria-haspopup="dialog" data-key="r" { (icon(Icon::Repeat)) "Resend" }
        div.dialog popover #resend role="dialog" aria-labelledby="resend-title" {
            (form(context, &path, &html! {
                h2 #resend-title { "Send this message again" }
                fieldset.stack {
                    legend { "To these endpoints" }
                    div { @for delivery in &enabled { (choice(delivery, is_chosen(delivery, &enabled))) } }
                }
                (retry_field())
                div.buttons {
                    button type="submit" { "Resend" }
                    button.plain type="button" popovertarget="resend" popovertargetaction="hide" { "Cancel" }
                }
            }))
        }
    }
}

/// The failed ones are chosen at first; all, if none has failed.
fn is_chosen(delivery: &MessageEndpointOut, all: &[&MessageEndpointOut]) -> bool {
    let has_failed = |it: &MessageEndpointOut| {
        matches!(it.status, MessageStatus::Fail | MessageStatus::Canceled | MessageStatus::Sending)
    };
    has_failed(delivery) || !all.iter().any(|it| has_failed(it))
}

fn choice(delivery: &MessageEndpointOut, is_chosen: bool) -> Markup {
    let name = if delivery.description.is_empty() { &delivery.url } else { &delivery.description };
    html! {
        label.choice {
            input type="checkbox" name="endpoint" value=(delivery.id) checked[is_chosen];
            span.choice-name { (name) }
            (state::delivery(delivery.status))
        }
    }
}

/// Whether a failure starts the schedule again.
pub(super) fn retry_field() -> Markup {
    ui::Field::new("retry", "If it fails, retry on the usual schedule")
        .hint(html! { "Otherwise there is one attempt." })
        .checkbox()
}

pub(super) async fn send(context: Arc<Context>, form: Form) -> ActionResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let page = context.app_path(&app, &["messages", &message]);
    let endpoints: BTreeSet<&str> = form.all("endpoint").collect();
    if endpoints.is_empty() {
        return Ok(Outcome::failed(page, "Choose at least one endpoint. Nothing was sent."));
    }
    let mut problems = Vec::new();
    for endpoint in &endpoints {
        let path = v1(&["app", &app, "msg", &message, "endpoint", endpoint, "resend"]);
        let path = path.and("retry", form.has("retry").then_some(true));
        if let Err(error) = context.api.post::<EmptyOut>(path, &EmptyOut {}).await {
            problems.push(format!("{endpoint}: {error}"));
        }
    }
    let sent = (endpoints.len() - problems.len()) as u64;
    if problems.is_empty() {
        let text = format!("The message is being sent again to {}.", ui::plural(sent, "endpoint"));
        return Ok(Outcome::done(page, text));
    }
    let first =
        if sent == 0 { "Nothing was sent again".to_owned() } else { format!("{sent} sent again") };
    Ok(Outcome::failed(page, format!("{first}; {}", problems.join("; "))))
}

pub(super) async fn expunge(context: Arc<Context>, _: Form) -> ActionResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    context.api.delete(v1(&["app", &app, "msg", &message, "content"])).await?;
    let page = context.app_path(&app, &["messages", &message]);
    Ok(Outcome::done(page, "The payload was deleted."))
}
