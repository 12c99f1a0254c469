//! The list of consumers.

use std::sync::Arc;

use futures_util::future::join_all;
use maud::{Markup, html};
use postrider::api::{ConsumerOut, ConsumerStateOut, ListResponse};

use super::state;
use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Section},
    site::join,
    ui::{self, Icon, code, icon},
    viewer::Action,
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let path = v1(&["consumer"]).with("limit", 50).and("iterator", context.query.text("iterator"));
    let consumers: ListResponse<ConsumerOut> = context.api.get(path).await?;
    let page = Page::new(Section::Consumers, "Consumers")
        .lead(html! { "A consumer reads a queue and publishes what it reads as messages." });
    if consumers.data.is_empty() {
        return Ok(page.part(empty(&context)));
    }
    let states = join_all(consumers.data.iter().map(|it| {
        context.api.get::<ConsumerStateOut>(v1(&["consumer", &it.id.to_string(), "state"]))
    }));
    let states = states.await;
    let rows = html! {
        @for (it, state) in consumers.data.iter().zip(&states) { (line(&context, it, state.as_ref().ok())) }
    };
    let page = if context.may(Action::Operate) { page.actions(create(&context)) } else { page };
    Ok(page.live("consumers", html! {
        (ui::table("Consumers", &["Queue", "Kind", "#Accepted", "#Dead letters", "Last message", "State"], &rows))
        (ui::pages(&context, consumers.iterator.as_deref(), consumers.done))
    }))
}

fn line(context: &Context, it: &ConsumerOut, state: Option<&ConsumerStateOut>) -> Markup {
    let to = join(&["consumers", &it.id.to_string()]);
    html! {
        tr {
            td {
                a href=(context.link(&to)) { (name(it)) }
                small { (it.address) }
            }
            td { (state::kind(it.kind).0) }
            @if let Some(state) = state {
                td.number { (ui::count(state.accepted)) }
                td.number { (ui::count(state.dead_letters)) }
                td { @match state.last_message_at { Some(at) => { (ui::time(context, at)) }, None => { span.soft { "none yet" } } } }
                td { (state::status(state.status)) @if let Some(reason) = &state.reason { small { (reason) } } }
            } @else {
                td colspan="4" { span.soft { "not available" } }
            }
        }
    }
}

/// What people call a consumer.
pub(super) fn name(it: &ConsumerOut) -> String {
    let uid = it.uid.as_ref().map(ToString::to_string);
    let description = Some(it.description.clone()).filter(|it| !it.is_empty());
    description.or(uid).unwrap_or_else(|| it.id.to_string())
}

fn create(context: &Context) -> Markup {
    html! { a.button href=(context.link("/consumers/new")) { (icon(Icon::Plus)) "Create consumer" } }
}

fn empty(context: &Context) -> Markup {
    ui::empty(
        "No consumers yet",
        &html! {
            p { "If your services publish events to NATS, RabbitMQ, Redis, Kafka or Amazon SQS, a consumer turns them into webhooks, each exactly once." }
            @if context.may(Action::Operate) { (create(context)) }
            (code::block("Command line", "postrider consumer create uid=orders kind=nats config:=@nats.json"))
        },
    )
}
