//! The page of a consumer.

use std::sync::Arc;

use http::Method;
use maud::{Markup, html};
use postrider::api::{
    ConsumerOut, ConsumerStateOut, ConsumerStatus, DeadLetterCause, DeadLetterOut, ListResponse,
};
use serde_json::json;

use super::{list::name, state};
use crate::{
    api::v1,
    context::Context,
    form::Form,
    page::{ActionResult, Outcome, Page, PageResult, Section, Tone},
    site::join,
    ui::{self, Field, Icon, code, form::Confirm},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let id = context.param("consumer");
    let letters =
        v1(&["consumer", id, "dead-letter"]).with("limit", 50).with("order", "descending");
    let letters = letters.and("cause", context.query.text("cause"));
    let letters = letters.and("iterator", context.query.text("iterator"));
    let (consumer, state, letters) = tokio::try_join!(
        context.api.get::<ConsumerOut>(v1(&["consumer", id])),
        context.api.get::<ConsumerStateOut>(v1(&["consumer", id, "state"])),
        context.api.get::<ListResponse<DeadLetterOut>>(letters),
    )?;
    let command = format!("postrider consumer get {}", consumer.id);
    let page = Page::new(Section::Consumers, name(&consumer))
        .crumb("Consumers", "/consumers")
        .lead(lead(&consumer));
    let page = if context.may(Action::Operate) {
        page.actions(buttons(&context, &consumer))
    } else {
        page
    };
    Ok(page
        .live("state", state_part(&context, &state))
        .part(ui::filters(&context, &cause_field(&context)))
        .live("dead-letters", dead_letters(&context, &consumer, &letters))
        .part(html! {
            section.section { h2 { "Configuration" } (configuration(&consumer)) }
            (ui::api_panel(&context, &consumer, &v1(&["consumer", id]), Some(&command)))
        }))
}

fn lead(consumer: &ConsumerOut) -> Markup {
    html! {
        span { (state::kind(consumer.kind).0) }
        (ui::id(&consumer.id.to_string()))
        code { (consumer.address) }
    }
}

fn buttons(context: &Context, consumer: &ConsumerOut) -> Markup {
    let id = consumer.id.to_string();
    let (disabled, deleted) =
        (join(&["consumers", &id, "disabled"]), join(&["consumers", &id, "delete"]));
    let pause = Confirm {
        id: "pause",
        button: "Pause",
        shape: Icon::Pause,
        title: "Pause this consumer?",
        submit: "Pause",
        path: &disabled,
        is_dangerous: false,
    };
    let delete = Confirm {
        id: "delete",
        button: "Delete",
        shape: Icon::Cross,
        title: "Delete this consumer?",
        submit: "Delete consumer",
        path: &deleted,
        is_dangerous: true,
    };
    html! {
        @if consumer.disabled {
            (ui::action_button(context, &disabled, (Icon::Arrow, "Enable"), &[("disabled", "no")]))
        } @else {
            (ui::confirm(context, &pause, &html! {
                input type="hidden" name="disabled" value="yes";
                p { "Messages stay in the queue until you enable the consumer again." }
            }))
        }
        (ui::confirm(context, &delete, &html! {
            p { "The queue is no longer read, and the dead letters are deleted. Messages that are still in the queue stay there." }
        }))
    }
}

fn state_part(context: &Context, state: &ConsumerStateOut) -> Markup {
    let tone = if state.status == ConsumerStatus::Failing { Tone::Bad } else { Tone::Warning };
    html! {
        @if let Some(reason) = &state.reason {
            (ui::banner(tone, "The queue is not read at the moment", &html! { (reason) }))
        }
        div.numbers {
            div { span.name { "State since " (ui::time(context, state.since)) } span.value { (state::status(state.status)) } }
            div { span.name { "Accepted" } span.value { (ui::number(state.accepted)) } }
            div { span.name { "Duplicate" } span.value { (ui::number(state.duplicates)) } }
            div { span.name { "Dead letters" } span.value { (ui::number(state.dead_letters)) } }
            div { span.name { "Unacknowledged" } span.value { (ui::number(state.in_flight)) } }
            div { span.name { "Last message" } span.value { @match state.last_message_at { Some(at) => { (ui::time(context, at)) }, None => { "none" } } } }
        }
        p.hint { "Counted on the node that responds, since it started." }
    }
}

fn cause_field(context: &Context) -> Markup {
    let causes = DeadLetterCause::ALL.map(|it| (it.name(), state::cause(it)));
    let options: Vec<_> = std::iter::once(("", "any cause")).chain(causes).collect();
    let value = context.query.text("cause").unwrap_or_default();
    Field::new("cause", "Dead letters").value(value).select(&options)
}

fn dead_letters(
    context: &Context,
    consumer: &ConsumerOut,
    letters: &ListResponse<DeadLetterOut>,
) -> Markup {
    let id = consumer.id.to_string();
    html! {
        @if letters.data.is_empty() {
            (ui::empty("No dead letters", &html! {
                p { "Messages of the queue that cannot be accepted are kept here, so that you can correct the cause and retry them." }
            }))
        } @else {
            (ui::table("Dead letters", &["Reason", "Cause", "#Attempts", "#Size", "Time"], &html! {
                @for it in &letters.data {
                    tr {
                        td {
                            a href=(context.link(&join(&["consumers", &id, "dead-letters", &it.id.to_string()]))) { (it.reason) }
                            @if let Some(subject) = &it.subject { small { (subject) } }
                        }
                        td { (state::cause(it.cause)) }
                        td.number { (it.attempts) }
                        td.number { (ui::bytes(it.size)) }
                        td { (ui::time(context, it.created_at)) }
                    }
                }
            }))
        }
        (ui::pages(context, letters.iterator.as_deref(), letters.done))
    }
}

fn configuration(consumer: &ConsumerOut) -> Markup {
    let shown = json!({ "config": consumer.config, "mapping": consumer.mapping });
    code::json("Configuration, with *** in place of credentials", &shown.to_string(), None)
}

pub(super) async fn disable(context: Arc<Context>, form: Form) -> ActionResult {
    let id = context.param("consumer");
    let disabled = form.text("disabled") == Some("yes");
    let body = json!({ "disabled": disabled });
    context.api.send::<ConsumerOut>(Method::PATCH, v1(&["consumer", id]), &body).await?;
    let done =
        if disabled { "The consumer is paused." } else { "The consumer reads the queue again." };
    Ok(Outcome::done(join(&["consumers", id]), done))
}

pub(super) async fn delete(context: Arc<Context>, _: Form) -> ActionResult {
    context.api.delete(v1(&["consumer", context.param("consumer")])).await?;
    Ok(Outcome::done("/consumers", "The consumer was deleted."))
}
