//! The page of an application.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    ApplicationOut, ApplicationStateOut, EndpointOut, ListResponse, MessageStatus,
    OrganizationMessageOut, SearchResponse, StatisticsSeriesOut,
};
use tokio::try_join;

use super::{endpoints, mode, recent, remove, rows::is_of_source};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::{Page, PageResult, Section, Tone},
    range::{Range, ranges},
    screens::messages::rows::Row,
    ui::{self, Icon, badge, chart, icon, number},
    viewer::Action,
};

/// What the page shows.
struct Parts {
    app: ApplicationOut,
    state: ApplicationStateOut,
    series: StatisticsSeriesOut,
    endpoints: ListResponse<EndpointOut>,
    messages: SearchResponse<OrganizationMessageOut>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let range = range(&context);
    let parts = read(&context, range).await?;
    let Parts { app, state, series, .. } = &parts;
    let id = app.id.to_string();
    let states = endpoints::states(&context, &id, &parts.endpoints.data).await;
    let messages: Vec<_> = parts.messages.data.iter().cloned().map(Row::from).collect();
    let page = Page::new(Section::Applications, &app.name)
        .crumb("Applications", "/apps")
        .lead(lead(app))
        .part(tabs(&context, &id, "overview"))
        .live("state", html! { (banner(&context, app)) (mode::banner(&context, app)) (numbers(&context, app, state)) })
        .part(traffic_head(&context, range))
        .live("traffic", traffic(range, series))
        .live("endpoints", endpoints::view(&context, &id, &parts.endpoints, &states))
        .live("messages", recent::view(&context, &id, &messages))
        .part(facts(&context, app))
        .part(ui::api_panel(
            &context,
            app,
            &v1(&["app", &id]),
            Some(&format!("postrider app get {id}")),
        ));
    Ok(match actions(&context, app, state) {
        Some(actions) => page.actions(actions),
        None => page,
    })
}

/// A day, if the URL names no range: most applications receive few messages in an hour.
fn range(context: &Context) -> Range {
    if context.query.text("range").is_some() { Range::of(context) } else { Range::Day }
}

async fn read(context: &Context, range: Range) -> Result<Parts, ApiFailure> {
    let (api, app) = (&context.api, context.app());
    let of = |segments: &[&str]| v1(&[&["app", &app], segments].concat());
    let messages =
        v1(&["msg"]).with("app_id", &app).with("limit", 10).with("with_deliveries", true);
    let (app, state, series, endpoints, messages) = try_join!(
        api.get(of(&[])),
        api.get(of(&["state"])),
        api.get(range.on(of(&["stats", "series"]), context.now)),
        api.get(of(&["endpoint"]).with("limit", endpoints::MAX_SHOWN)),
        api.get(messages),
    )?;
    Ok(Parts { app, state, series, endpoints, messages })
}

fn lead(app: &ApplicationOut) -> Markup {
    html! {
        (ui::id(&app.id.to_string()))
        @if let Some(uid) = &app.uid { span { "uid " (ui::id(uid.as_str())) } }
        (mode::shadow_badge(app))
    }
}

/// The tabs of an application's pages.
pub(super) fn tabs(context: &Context, app: &str, current: &str) -> Markup {
    let tabs = [("overview", "Overview", vec![]), ("usage", "Usage", vec!["usage"])];
    let tabs = tabs.map(|(key, name, path)| (name, context.app_path(app, &path), key == current));
    ui::tabs(context, "Application", &tabs)
}

fn actions(context: &Context, app: &ApplicationOut, state: &ApplicationStateOut) -> Option<Markup> {
    let id = app.id.to_string();
    let link = |segments: &[&str]| context.link(&context.app_path(&id, segments));
    let (operates, publishes) = (context.may(Action::Operate), context.may(Action::Publish));
    (operates || publishes).then(|| html! {
        @if operates {
            (remove::button(context, app, state))
            a.button.secondary href=(link(&["edit"])) { (icon(Icon::Settings)) "Edit" }
            a.button.secondary href=(link(&["portal"])) { (icon(Icon::Link)) "Portal link" }
        }
        @if publishes { a.button href=(link(&["send"])) { (icon(Icon::Send)) "Send a message" } }
    })
}

fn banner(context: &Context, app: &ApplicationOut) -> Markup {
    let Some(uid) = app.uid.as_ref().filter(|_| is_of_source(app)) else {
        return Markup::default();
    };
    ui::banner(
        Tone::Neutral,
        "This application belongs to a source",
        &html! {
            "It holds what the source received. "
            (ui::link(context, &format!("/sources/{uid}"), "Go to the source"))
        },
    )
}

fn numbers(context: &Context, app: &ApplicationOut, state: &ApplicationStateOut) -> Markup {
    let enabled = state.endpoints.saturating_sub(state.disabled_endpoints);
    let pending = format!("/messages?app={}&status={}", app.id, MessageStatus::Pending.number());
    html! {
        dl.numbers {
            div { dt { "Endpoints" } dd { (number(enabled)) }
                @if state.disabled_endpoints > 0 { dd.note { "and " (number(state.disabled_endpoints)) " disabled" } } }
            div { dt { "Failing endpoints" } dd { (number(state.failing_endpoints)) }
                dd.note { @if state.failing_endpoints > 0 { (badge(Tone::Bad, Icon::Cross, "Failing")) } } }
            div { dt { "Pending deliveries" } dd { (number(state.pending)) }
                @if state.pending > 0 { dd.note { (ui::link(context, &pending, "Show messages")) } } }
            div { dt { "Attempts in flight" } dd { (number(state.in_flight)) } }
            div { dt { "Oldest due" } dd {
                @match state.oldest_due_at { Some(at) => { (ui::time(context, at)) }, None => { "–" } }
            } }
        }
    }
}

fn traffic_head(context: &Context, range: Range) -> Markup {
    html! { div.section-head { h2 { "Traffic" } (ranges(context, range)) } }
}

fn traffic(range: Range, series: &StatisticsSeriesOut) -> Markup {
    let attempts = chart::Series {
        label: &format!("Attempts {}", range.per()),
        values: &[("delivered", "good"), ("failed", "bad")],
        points: range.sums(series, |it| vec![it.delivered, it.failed], 2),
        format: number,
    };
    let messages = chart::Series {
        label: &format!("Messages {}", range.per()),
        values: &[("accepted", "accent")],
        points: range.sums(series, |it| vec![it.accepted], 1),
        format: number,
    };
    html! {
        div.charts {
            div.card { (chart::bars(&messages)) }
            div.card { (chart::bars(&attempts)) }
        }
        (totals(series))
    }
}

fn totals(series: &StatisticsSeriesOut) -> Markup {
    let total = &series.total;
    let latency = total.time_to_delivery.p95_ms;
    html! {
        p.hint {
            (ui::plural(total.accepted, "message")) " accepted, "
            (number(total.delivered)) " delivered, "
            (ui::plural(total.failed, "failed attempt")) ", "
            (number(total.given_up)) " given up."
            @if let Some(latency) = latency { " 95 % were delivered within " (ui::millis(latency)) "." }
        }
    }
}

fn facts(context: &Context, app: &ApplicationOut) -> Markup {
    let rate = app.throttle_rate.0.map_or_else(
        || html! { "No limit" },
        |rate| html! { (number(rate.into())) " attempts per second" },
    );
    html! {
        section.section {
            h2 { "Settings" }
            (ui::facts(&[
                ("Rate limit", rate),
                ("Metadata", metadata(app)),
                ("Created", ui::time(context, app.created_at)),
                ("Updated", ui::time(context, app.updated_at)),
            ]))
        }
    }
}

fn metadata(app: &ApplicationOut) -> Markup {
    html! {
        @if app.metadata.is_empty() { "None" }
        span.tags { @for (key, value) in &app.metadata { code.tag { (key) "=" (value) } } }
    }
}
