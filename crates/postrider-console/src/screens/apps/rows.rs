//! Rows of the list of applications.

use futures_util::future::join_all;
use maud::{Markup, html};
use postrider::api::{ApplicationOut, ApplicationStateOut, Metadata, StatisticsSeriesOut};

use super::mode;
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::Tone,
    range::Range,
    ui::{self, Icon, badge, chart},
};

/// Points of the range that make one bar of a row.
const POINTS: usize = 4;

/// Metadata that a row shows; the page of the application shows all of it.
const MAX_METADATA: usize = 3;

/// An application with its state and its last 24 hours, which may be unknown.
#[derive(Debug)]
pub(super) struct Row<'a> {
    app: &'a ApplicationOut,
    state: Option<ApplicationStateOut>,
    series: Option<StatisticsSeriesOut>,
}

/// Reads the states of applications. A state that cannot be read leaves its cells empty: the
/// application may have been deleted since it was listed.
pub(super) async fn rows<'a>(context: &Context, apps: &'a [ApplicationOut]) -> Vec<Row<'a>> {
    join_all(apps.iter().map(|app| row(context, app))).await
}

async fn row<'a>(context: &Context, app: &'a ApplicationOut) -> Row<'a> {
    let id = app.id.to_string();
    let series = Range::Day.on(v1(&["app", &id, "stats", "series"]), context.now);
    let state = context.api.get(v1(&["app", &id, "state"]));
    let (state, series): (Result<_, ApiFailure>, Result<_, ApiFailure>) =
        tokio::join!(state, context.api.get(series));
    Row { app, state: state.ok(), series: series.ok() }
}

pub(super) fn table(context: &Context, rows: &[Row<'_>]) -> Markup {
    let heads = [
        "Application",
        "Endpoints",
        "#Pending",
        "#Accepted, 24 h",
        "Attempts, 24 h",
        "#Failed",
        "Metadata",
        "Created",
    ];
    let rows = html! {
        @for row in rows {
            tr {
                td { (name(context, row.app)) }
                (state_cells(row.state.as_ref()))
                (traffic_cells(row))
                td { (metadata(&row.app.metadata)) }
                td { (ui::time(context, row.app.created_at)) }
            }
        }
    };
    html! { div.app-list { (ui::table("Applications", &heads, &rows)) } }
}

fn name(context: &Context, app: &ApplicationOut) -> Markup {
    let id = app.id.to_string();
    html! {
        a.strong href=(context.link(&context.app_path(&id, &[]))) { (app.name) }
        " " (mode::shadow_badge(app))
        @match &app.uid {
            Some(_) if is_of_source(app) => { small { "Belongs to a source" } },
            Some(uid) => { small { (uid) } },
            None => { small { (id) } },
        }
    }
}

/// Whether the application holds the messages of a source, whose id is then its uid.
pub(super) fn is_of_source(app: &ApplicationOut) -> bool {
    app.uid.as_ref().is_some_and(|uid| uid.as_str().starts_with("src_"))
}

fn state_cells(state: Option<&ApplicationStateOut>) -> Markup {
    let Some(state) = state else {
        return html! { td { (unknown()) } td.number { (unknown()) } };
    };
    html! {
        td { span.cell-line {
            (ui::count(state.endpoints))
            @if state.failing_endpoints > 0 {
                (badge(Tone::Bad, Icon::Cross, &format!("{} failing", state.failing_endpoints)))
            }
            @if state.disabled_endpoints > 0 {
                (badge(Tone::Neutral, Icon::Pause, &format!("{} disabled", state.disabled_endpoints)))
            }
        } }
        td.number { (ui::count(state.pending)) }
    }
}

fn traffic_cells(row: &Row<'_>) -> Markup {
    let Some(series) = &row.series else {
        return html! { td.number { (unknown()) } td { (unknown()) } td.number { (unknown()) } };
    };
    let points = Range::Day.sums(series, |it| vec![it.delivered, it.failed], 2);
    let sum = |points: &[(_, Vec<u64>)], place: usize| points.iter().map(|it| it.1[place]).sum();
    let bars: Vec<_> = points.chunks(POINTS).map(|it| (sum(it, 0), sum(it, 1))).collect();
    let label = format!(
        "{} successful and {} failed attempts in the last 24 hours",
        series.total.delivered, series.total.failed
    );
    html! {
        td.number { (ui::count(series.total.accepted)) }
        td { (chart::sparkline(&label, &bars)) }
        td.number { (ui::count(series.total.failed)) }
    }
}

fn metadata(metadata: &Metadata) -> Markup {
    html! {
        @if metadata.is_empty() { (unknown()) }
        span.tags {
            @for (key, value) in metadata.iter().take(MAX_METADATA) { code.tag { (key) "=" (value) } }
            @if metadata.len() > MAX_METADATA { span.soft { "+" (metadata.len() - MAX_METADATA) } }
        }
    }
}

fn unknown() -> Markup {
    html! { span.soft { "–" } }
}
