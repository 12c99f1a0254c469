//! The page of a source.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{
    EndpointOut, IngestLogOut, IngestSourceOut, ListResponse, MessageOut, ingest::Verification,
    statistics::StatisticsSeriesOut,
};

use super::{
    actions, endpoints,
    load::{self, path, provider_name, provider_of},
    series, setup, state,
};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    page::{Page, PageResult, Section},
    range::{Range, ranges},
    site::join,
    ui::{self, Icon, icon},
    viewer::Action,
};

/// Rows of the tables of recent requests.
const RECENT: usize = 6;

/// What the page shows besides the source.
struct Shown {
    source: IngestSourceOut,
    range: Range,
    series: StatisticsSeriesOut,
    messages: Vec<MessageOut>,
    log: Vec<IngestLogOut>,
    endpoints: Vec<EndpointOut>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let source = load::source(&context).await?;
    let shown = load(&context, source).await?;
    let source = &shown.source;
    let id = source.id.to_string();
    let page = Page::new(Section::Sources, source.name.clone())
        .crumb("Sources", "/sources")
        .lead(lead(source))
        .actions(buttons(&context, source))
        .part(html! { (banner(source)) (address(&context, source)) })
        .live("received", received(&context, &shown))
        .part(html! {
            (endpoints::section(&context, source, &shown.endpoints))
            div.grid {
                section.card { h2 { "Setup" } (setup::steps(&context, source, provider_of(source).as_deref(), !shown.endpoints.is_empty())) }
                section.card { h2 { "Settings" } (settings(&context, source)) }
            }
            (ui::api_panel(&context, source, &ingest(&["source", &id]), Some(&format!("postrider source get {id}"))))
        });
    Ok(page)
}

async fn load(context: &Context, source: IngestSourceOut) -> Result<Shown, ApiFailure> {
    let range = Range::of(context);
    let id = source.id.to_string();
    let log = ingest(&["source", &id, "log"]).with("limit", RECENT).with("order", "descending");
    let endpoints = ingest(&["source", &id, "endpoint"]).with("limit", 50);
    let (series, messages, log, endpoints) = tokio::try_join!(
        series::load(context, &id, range),
        load::messages(context, &source, RECENT),
        context.api.get::<ListResponse<IngestLogOut>>(log),
        context.api.get::<ListResponse<EndpointOut>>(endpoints),
    )?;
    let (messages, log, endpoints) = (messages, log.data, endpoints.data);
    Ok(Shown { source, range, series, messages, log, endpoints })
}

fn lead(source: &IngestSourceOut) -> Markup {
    html! {
        (state::status(source.status))
        span { (provider_name(&source.provider)) }
        (ui::id(&source.id.to_string()))
        @if let Some(uid) = &source.uid { (ui::id(&uid.to_string())) }
    }
}

fn buttons(context: &Context, source: &IngestSourceOut) -> Markup {
    let id = source.id.to_string();
    html! {
        @if context.may(Action::Operate) {
            (actions::pause_button(context, source))
            a.button.secondary href=(context.link(&path(&id, &["edit"]))) { "Edit" }
            (actions::delete_button(context, source))
            a.button href=(context.link(&path(&id, &["sample"]))) { (icon(Icon::Send)) "Send a sample" }
        }
    }
}

fn banner(source: &IngestSourceOut) -> Markup {
    html! {
        @if let Some((tone, title, text)) = state::advice(source.status) {
            (ui::banner(tone, title, &html! { (text) }))
        }
    }
}

fn address(context: &Context, source: &IngestSourceOut) -> Markup {
    html! {
        section.card.address aria-label="URL" {
            div {
                h2 { "URL for the provider" }
                (ui::id(&source.ingest_url))
                p.hint { "Give it only to the provider: everyone who knows it can send requests, although only genuine ones are accepted." }
            }
            @if context.may(Action::Operate) { div { (actions::rotate_button(context, source)) } }
        }
    }
}

fn received(context: &Context, shown: &Shown) -> Markup {
    html! {
        section.section {
            div.section-head { h2 { "Received" } (ranges(context, shown.range)) }
            (totals(context, shown))
            (series::chart(shown.range, &shown.series))
        }
        div.grid {
            section.section {
                div.section-head {
                    h2 { "Recent messages" }
                    (ui::link(context, &format!("/messages?app={}&tag={}", shown.source.app_id, shown.source.id), "All messages"))
                }
                (messages(context, shown))
            }
            section.section {
                div.section-head {
                    h2 { "Recent rejections" }
                    (ui::link(context, &path(&shown.source.id.to_string(), &["rejected"]), "All rejections"))
                }
                (rejections(context, shown))
            }
        }
    }
}

fn totals(context: &Context, shown: &Shown) -> Markup {
    let total = &shown.series.total;
    let id = shown.source.id.to_string();
    let last: Option<Timestamp> = shown.messages.first().map(|it| it.timestamp);
    let last = last.max(shown.log.first().map(|it| it.created_at));
    html! {
        div.numbers {
            div { span.name { "Accepted" } span.value { (ui::number(total.received)) } }
            div { span.name { "Duplicate" } span.value { (ui::number(total.duplicates)) } }
            a href=(context.link(&path(&id, &["rejected"]))) { span.name { "Rejected" } span.value { (ui::number(total.rejected)) } }
            div { span.name { "Last request" } span.value { @match last { Some(at) => { (ui::time(context, at)) }, None => { "never" } } } }
        }
    }
}

fn messages(context: &Context, shown: &Shown) -> Markup {
    let app = shown.source.app_id.to_string();
    if shown.messages.is_empty() {
        return ui::empty(
            "No messages yet",
            &html! { p { "Requests that verify appear here as messages." } },
        );
    }
    ui::table(
        "Recent messages",
        &["Event type", "Event id", "Received"],
        &html! {
            @for it in &shown.messages {
                tr {
                    td { a href=(context.link(&join(&["apps", &app, "messages", &it.id.to_string()]))) { (it.event_type) } }
                    td { @match &it.event_id { Some(id) => { code.truncate title=(id) { (id) } }, None => { span.soft { "none" } } } }
                    td { (ui::time(context, it.timestamp)) }
                }
            }
        },
    )
}

fn rejections(context: &Context, shown: &Shown) -> Markup {
    let id = shown.source.id.to_string();
    if shown.log.is_empty() {
        return ui::empty(
            "Nothing was rejected",
            &html! { p { "Rejected requests are kept here for one day." } },
        );
    }
    ui::table(
        "Recent rejections",
        &["Reason", "Status", "Received"],
        &html! {
            @for it in &shown.log {
                tr {
                    td { a href=(context.link(&format!("{}#{}", path(&id, &["rejected"]), it.id))) { (it.error_text) } }
                    td { (it.status_code) }
                    td { (ui::time(context, it.created_at)) }
                }
            }
        },
    )
}

fn settings(context: &Context, source: &IngestSourceOut) -> Markup {
    let id = source.id.to_string();
    let secrets = html! {
        (ui::plural(source.secret_count as u64, "secret")) " · "
        (ui::link(context, &path(&id, &["secrets"]), if context.may(Action::RotateSecret) { "show or replace" } else { "show" }))
    };
    let verification = match source.verification {
        Verification::Required => "required",
        Verification::None => "none: every request is accepted",
    };
    let app = source.app_id.to_string();
    html! {
        dl.plain-facts {
            div { dt { "Application" } dd { (ui::link(context, &join(&["apps", &app]), &app)) } }
            div { dt { "Verification" } dd { (verification) } }
            div { dt { "Secrets" } dd { (secrets) } }
            @if !source.parameter_names.is_empty() { div { dt { "Parameters" } dd { (source.parameter_names.join(", ")) } } }
            div { dt { "Duplicates" } dd { "recognized for " (ui::duration(std::time::Duration::from_secs(source.dedupe_window_seconds.into()))) } }
            @if let Some(it) = source.tolerance_seconds { div { dt { "Age of a signature" } dd { "at most " (it) " s" } } }
            @if let Some(it) = source.max_body { div { dt { "Size of a body" } dd { "at most " (ui::bytes(it.into())) } } }
            @if let Some(it) = &source.public_url { div { dt { "URL that the provider uses" } dd { code { (it) } } } }
            @if let Some(it) = &source.response { div { dt { "Response" } dd { (it.status) } } }
            div { dt { "Created" } dd { (ui::time(context, source.created_at)) } }
        }
    }
}
