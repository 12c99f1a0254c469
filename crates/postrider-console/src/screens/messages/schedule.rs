//! A message whose first attempts are made later.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{MessageOut, MessageRescheduleIn, MessageStatus};

use super::{
    journey::Journey,
    period::{input_value, parse},
};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Tone},
    ui::{self, Field, Icon, form::Confirm},
    viewer::Action,
};

/// When the first attempts are due, if there are some to come.
fn due(context: &Context, it: &Journey) -> Option<Timestamp> {
    let at = it.message.deliver_at.filter(|at| *at > context.now)?;
    it.deliveries.iter().any(|it| it.status == MessageStatus::Pending).then_some(at)
}

/// Says that the message is scheduled.
pub(super) fn notice(context: &Context, it: &Journey) -> Markup {
    let Some(at) = due(context, it) else { return Markup::default() };
    ui::notice(
        Tone::Neutral,
        &html! { strong { "Scheduled." } " The first attempts are due on " (ui::time::instant(context, at)) ", " (ui::time(context, at)) "." },
    )
}

/// The buttons that change the time, and that cancel the deliveries.
pub(super) fn actions(context: &Context, it: &Journey) -> Markup {
    let Some(at) = due(context, it).filter(|_| context.may(Action::Operate)) else {
        return Markup::default();
    };
    let id = it.message.id.to_string();
    let path = |segment| context.app_path(&it.app, &["messages", &id, segment]);
    html! { (cancellation(context, &path("cancel"))) (rescheduling(context, &path("reschedule"), at)) }
}

fn rescheduling(context: &Context, path: &str, at: Timestamp) -> Markup {
    let confirm = Confirm {
        id: "reschedule",
        button: "Reschedule",
        shape: Icon::Clock,
        title: "When is the message to be delivered?",
        submit: "Reschedule",
        path,
        is_dangerous: false,
    };
    let field = Field::new("at", "First attempts (UTC)").kind("datetime-local").required();
    let field = field.value(input_value(at));
    ui::confirm(
        context,
        &confirm,
        &html! { (field.hint(html! { "At most a year from now. A time in the past means now." }).line()) },
    )
}

fn cancellation(context: &Context, path: &str) -> Markup {
    let confirm = Confirm {
        id: "cancel-message",
        button: "Cancel delivery",
        shape: Icon::Cross,
        title: "Cancel the delivery of this message?",
        submit: "Cancel delivery",
        path,
        is_dangerous: true,
    };
    ui::confirm(
        context,
        &confirm,
        &html! { p { "No endpoint gets the message. It stays in the history, and can be sent again." } },
    )
}

/// Changes the time of the first attempts.
pub(super) async fn reschedule(context: Arc<Context>, form: Form) -> ActionResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let page = context.app_path(&app, &["messages", &message]);
    let Some(deliver_at) = form.text("at").and_then(parse) else {
        return Ok(Outcome::failed(page, "Enter a date and a time. The message was not changed."));
    };
    let body = MessageRescheduleIn { deliver_at };
    let path = v1(&["app", &app, "msg", &message, "reschedule"]);
    match context.api.post::<MessageOut>(path, &body).await {
        Ok(_) => Ok(Outcome::done(page, "The message has been rescheduled.")),
        Err(error) if error.is_input() => {
            Ok(Outcome::failed(page, ui::sentence(&error.to_string())))
        },
        Err(error) => Err(error.into()),
    }
}

/// Cancels the deliveries.
pub(super) async fn cancel(context: Arc<Context>, _: Form) -> ActionResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let path = v1(&["app", &app, "msg", &message, "cancel"]);
    context.api.post::<()>(path, &serde_json::json!({})).await?;
    let page = context.app_path(&app, &["messages", &message]);
    Ok(Outcome::done(page, "The deliveries have been cancelled."))
}
