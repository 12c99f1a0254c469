//! What an application uses: its quotas, and its attempts by event type.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{AppAttemptStatsOut, ApplicationOut, Usage, UsageOut};

use super::detail::tabs;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::{Page, PageResult, Section, Tone},
    range::{Range, ranges},
    ui::{self, number},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let (api, app) = (&context.api, context.app());
    let range =
        if context.query.text("range").is_some() { Range::of(&context) } else { Range::Week };
    let attempts = v1(&["app", &app, "stats", "attempts"]).with("since", range.since(context.now));
    let (app, usage, attempts) = tokio::join!(
        api.get::<ApplicationOut>(v1(&["app", &app])),
        api.get::<UsageOut>(v1(&["app", &app, "usage"])),
        api.get::<AppAttemptStatsOut>(attempts),
    );
    let (app, usage) = (app?, usage?);
    let id = app.id.to_string();
    let back = context.app_path(&id, &[]);
    let path = v1(&["app", &id, "usage"]);
    let panel = ui::api_panel(&context, &usage, &path, Some(&format!("postrider app usage {id}")));
    Ok(Page::new(Section::Applications, &app.name)
        .crumb("Applications", "/apps")
        .crumb(&app.name, back)
        .part(tabs(&context, &id, "usage"))
        .part(quotas(&usage))
        .part(by_event_type(&context, range, &id, attempts)?)
        .part(panel))
}

fn quotas(usage: &UsageOut) -> Markup {
    let quotas = [
        ("Endpoints", usage.endpoints),
        ("Event types of an endpoint, at most", usage.event_types_per_endpoint),
        ("Channels of an endpoint, at most", usage.channels_per_endpoint),
        ("Headers of an endpoint, at most", usage.headers_per_endpoint),
        ("Pending deliveries", usage.pending_deliveries),
        ("Messages per second", usage.messages_per_second),
        ("API requests per second", usage.requests_per_second),
    ];
    let rows = html! { @for (name, quota) in quotas { (quota_row(name, quota)) } };
    html! {
        section.section {
            h2 { "Quotas" }
            (ui::table("Quotas", &["Quota", "#Used", "#Limit", "Share"], &rows))
        }
    }
}

fn quota_row(name: &str, Usage { used, limit }: Usage) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (ui::count(used)) }
            td.number { @match limit { Some(limit) => { (number(limit)) }, None => { span.soft { "None" } } } }
            td { @if let Some(limit) = limit.filter(|it| *it > 0) {
                progress max=(limit) value=(used.min(limit)) aria-label={ (name) ": " (used) " of " (limit) } {}
            } }
        }
    }
}

fn by_event_type(
    context: &Context,
    range: Range,
    app: &str,
    attempts: Result<AppAttemptStatsOut, ApiFailure>,
) -> Result<Markup, ApiFailure> {
    let content = match attempts {
        Ok(attempts) if attempts.by_event_type.is_empty() => {
            ui::empty("No attempts in this time range", &html! { p { "Choose a longer range." } })
        },
        Ok(attempts) => table(context, app, &attempts),
        Err(error) if error.is_input() => ui::notice(
            Tone::Warning,
            &html! {
                p { "The attempts were not counted: " (error) "." } p { "Choose a shorter range." }
            },
        ),
        Err(error) => return Err(error),
    };
    Ok(html! {
        section.section {
            div.section-head { h2 { "Attempts by event type" } (ranges(context, range)) }
            (content)
        }
    })
}

fn table(context: &Context, app: &str, attempts: &AppAttemptStatsOut) -> Markup {
    let mut types: Vec<_> = attempts.by_event_type.iter().collect();
    types.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.success + counts.failure));
    let rows = html! {
        @for (name, counts) in types {
            tr {
                td { (ui::link(context, &format!("/messages?app={app}&type={name}"), name)) }
                td.number { (ui::count(counts.success)) }
                td.number { (ui::count(counts.failure)) }
            }
        }
    };
    ui::table("Attempts by event type", &["Event type", "#Delivered", "#Failed"], &rows)
}
