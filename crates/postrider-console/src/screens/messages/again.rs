//! Sends the payload of a message, edited, as a new message.

use std::sync::Arc;

use maud::html;
use postrider::api::MessageOut;

use super::{
    detail::{MAX_EDITED, crumbs, name},
    payload,
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    screens::message_body,
    ui::{self, Field, form, notice},
};

/// The fields with their places in the body.
const FIELDS: [&str; 5] = ["eventType", "payload", "eventId", "channels", "tags"];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let path = v1(&["app", &app, "msg", &message]).with("with_content", false);
    let found: MessageOut = context.api.get(path).await?;
    let text = payload::read(&context, &app, &message).await?;
    let text = text
        .filter(|it| it.len() <= MAX_EDITED)
        .ok_or(Failure::NotFound("a payload that can be edited"))?;
    let words = |words: Option<Vec<String>>| words.unwrap_or_default().join(", ");
    let form = Form::filled([
        ("type", found.event_type.to_string()),
        ("payload", ui::code::indent(&text).unwrap_or(text)),
        ("channels", words(found.channels)),
        ("tags", words(found.tags)),
    ]);
    Ok(form_page(&context, &form, None, None).await)
}

async fn form_page(
    context: &Context,
    form: &Form,
    failure: Option<&ApiFailure>,
    problem: Option<String>,
) -> Page {
    let (app, message) = (context.app(), context.param("msg").to_owned());
    let of_message = context.app_path(&app, &["messages", &message]);
    let name = name(context, &app).await;
    let page = Page::new(Section::Messages, "Edit and send as a new message");
    crumbs(page, context, &app, &name).crumb(message, of_message.clone()).part(html! {
        div.editor.stack {
            (notice(Tone::Neutral, &html! {
                "This becomes a new message with its own id. The original stays as it is, and endpoints that got it may process the event a second time."
            }))
            (form::problems(failure, &FIELDS))
            (ui::form(context, &format!("{of_message}/again"), &html! {
                (Field::new("type", "Event type").required().sent(form, failure, "eventType").line())
                (Field::new("payload", "Payload").required().code(16).sent(form, failure, "payload")
                    .problem(problem.or_else(|| failure.and_then(|it| it.of_field("payload")))).area())
                (Field::new("event_id", "New event id").hint(html! { "Optional. An id that has been used is rejected." })
                    .sent(form, failure, "eventId").line())
                (Field::new("channels", "Channels").hint(html! { "Separated by commas." }).sent(form, failure, "channels").line())
                (Field::new("tags", "Tags").hint(html! { "Separated by commas." }).sent(form, failure, "tags").line())
                (form::submit(context, "Send as a new message", Some(&of_message)))
            }))
        }
    })
}

pub(super) async fn send(context: Arc<Context>, form: Form) -> ActionResult {
    let app = context.app();
    let body = match message_body::body(&form) {
        Ok(body) => body,
        Err((_, problem)) => {
            let problem = format!("The payload {problem}");
            return Ok(Outcome::again(form_page(&context, &form, None, Some(problem)).await));
        },
    };
    match context.api.post::<MessageOut>(v1(&["app", &app, "msg"]), &body).await {
        Ok(sent) => {
            let path = context.app_path(&app, &["messages", &sent.id.to_string()]);
            Ok(Outcome::done(path, "Sent as a new message."))
        },
        Err(error) if error.is_input() => {
            Ok(Outcome::again(form_page(&context, &form, Some(&error), None).await))
        },
        Err(error) => Err(error.into()),
    }
}
