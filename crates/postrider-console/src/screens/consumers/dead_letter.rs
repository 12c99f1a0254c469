//! The page of a dead letter.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};
use postrider::api::{
    ConsumerOut, DeadLetterContentOut, DeadLetterRetryOut, ingest::PayloadEncoding,
};
use serde_json::json;

use super::{list::name, state};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section},
    site::join,
    ui::{self, Icon, code, facts, form::Confirm},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let (id, letter) = (context.param("consumer"), context.param("letter"));
    let path = v1(&["consumer", id, "dead-letter", letter]);
    let (consumer, content) = tokio::try_join!(
        context.api.get::<ConsumerOut>(v1(&["consumer", id])),
        context.api.get::<DeadLetterContentOut>(path.clone()),
    )?;
    let page = Page::new(Section::Consumers, "Dead letter")
        .crumb("Consumers", "/consumers")
        .crumb(name(&consumer), join(&["consumers", id]))
        .lead(ui::id(letter));
    let is_retriable = context.may(Action::Operate);
    let page = if is_retriable { page.actions(buttons(&context, &content)) } else { page };
    Ok(page.part(html! {
        (ui::banner(crate::page::Tone::Bad, state::cause(content.letter.cause), &html! { (content.letter.reason) }))
        (facts(&[
            ("Message in its queue", html! { code { (content.letter.message_id) } }),
            ("Attempts", html! { (content.letter.attempts) }),
            ("Size", html! { (ui::bytes(content.letter.size)) }),
            ("Time", ui::time(&context, content.letter.created_at)),
        ]))
        (body(&content))
        (ui::api_panel(&context, &content, &path, None))
    }))
}

fn body(content: &DeadLetterContentOut) -> Markup {
    let headers = ui::text::headers(&content.headers);
    let body = match content.body_encoding {
        PayloadEncoding::Text => content.body.clone(),
        PayloadEncoding::Base64 => {
            let bytes = STANDARD.decode(&content.body).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        },
    };
    html! {
        @if !headers.is_empty() { (code::block("Headers", &headers)) }
        (code::json("Body", &body, None))
        @if content.letter.truncated {
            p.hint { "Only the first 64 KiB of the body were kept, so that it cannot be retried." }
        }
    }
}

fn buttons(context: &Context, content: &DeadLetterContentOut) -> Markup {
    let (id, letter) = (context.param("consumer"), context.param("letter"));
    let base = ["consumers", id, "dead-letters", letter];
    let delete = Confirm {
        id: "delete",
        button: "Delete",
        shape: Icon::Cross,
        title: "Delete this dead letter?",
        submit: "Delete",
        path: &join(&[&base[..], &["delete"]].concat()),
        is_dangerous: true,
    };
    html! {
        @if !content.letter.truncated {
            (ui::action_button(context, &join(&[&base[..], &["retry"]].concat()), (Icon::Repeat, "Retry"), &[]))
        }
        (ui::confirm(context, &delete, &html! { p { "It is no longer in the queue. This cannot be undone." } }))
    }
}

pub(super) async fn retry(context: Arc<Context>, _: Form) -> ActionResult {
    let (id, letter) = (context.param("consumer"), context.param("letter"));
    let path = v1(&["consumer", id, "dead-letter", letter, "retry"]);
    match context.api.post::<DeadLetterRetryOut>(path, &json!({})).await {
        Ok(_) => Ok(Outcome::done(join(&["consumers", id]), "The message was accepted.")),
        Err(error) if error.is_input() => Ok(Outcome::failed(
            join(&["consumers", id, "dead-letters", letter]),
            format!("It was not accepted: {error}."),
        )),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    let (id, letter) = (context.param("consumer"), context.param("letter"));
    context.api.delete(v1(&["consumer", id, "dead-letter", letter])).await?;
    Ok(Outcome::done(join(&["consumers", id]), "The dead letter was deleted."))
}
