//! Endpoints as rows of a table.

use maud::{Markup, html};
use postrider::api::{EndpointOut, EndpointStateOut, StatisticsSeriesOut};

use super::{condition::Condition, kinds, traffic};
use crate::{context::Context, ui, viewer::Action};

/// What a row shows.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) endpoint: EndpointOut,
    pub(super) state: EndpointStateOut,
    /// The last 24 hours.
    pub(super) series: StatisticsSeriesOut,
    /// The name of the application, in the console.
    pub(super) app_name: Option<String>,
}

/// The table; with the applications if it has the endpoints of all of them.
pub(super) fn table(context: &Context, rows: &[Row], has_apps: bool) -> Markup {
    let may = context.may(Action::ManageEndpoints) || context.may(Action::CreateAttempts);
    let heads: Vec<_> = ["Endpoint"]
        .into_iter()
        .chain(["State", "#Pending", "Last 24 hours"])
        .chain(may.then_some(""))
        .collect();
    ui::table(
        "Endpoints",
        &heads,
        &html! {
            @for row in rows { (line(context, row, has_apps, may)) }
        },
    )
}

fn line(context: &Context, row: &Row, has_app: bool, may: bool) -> Markup {
    let Row { endpoint, state, series, .. } = row;
    let (app, id) = (state.app_id.to_string(), endpoint.id.to_string());
    let condition = Condition::of(state);
    let kind = kinds::form(endpoint.kind).title;
    let name = if endpoint.url.is_empty() { kind } else { &endpoint.url };
    html! {
        tr {
            td.endpoint-cell {
                a.truncate href=(context.link(&context.app_path(&app, &["endpoints", &id]))) title=(name) { (name) }
                small { (about(context, row, &app, has_app)) }
            }
            td.state-cell { (condition.badge()) small { (condition.reason(context)) } }
            td.number {
                (ui::count(state.pending)) @if state.pending >= 10_000 { "+" }
                @if let Some(at) = state.oldest_due_at { small { "due " (ui::time(context, at)) } }
            }
            td { (traffic::sparkline(series)) }
            @if may { td.actions-cell { (actions(context, row, &app, &id)) } }
        }
    }
}

/// Whose it is, what it is, and what people say about it.
fn about(context: &Context, row: &Row, app: &str, has_app: bool) -> Markup {
    let endpoint = &row.endpoint;
    let kind = (!endpoint.kind.is_http()).then(|| kinds::form(endpoint.kind).title);
    let description = Some(endpoint.description.as_str()).filter(|it| !it.is_empty());
    let app_name = row.app_name.as_deref().unwrap_or(app);
    html! {
        @if has_app { a.soft href=(context.link(&context.app_path(app, &[]))) { (app_name) } }
        @for (index, text) in kind.into_iter().chain(description).enumerate() {
            @if has_app || index > 0 { " · " }
            (text)
        }
    }
}

fn actions(context: &Context, row: &Row, app: &str, id: &str) -> Markup {
    let path = |action: &str| context.app_path(app, &["endpoints", id, action]);
    html! {
        div.row-actions {
            @if row.endpoint.disabled {
                @if context.may(Action::ManageEndpoints) { (switch(context, &path("enable"), "Enable")) }
            } @else {
                @if context.may(Action::CreateAttempts) {
                    a.button.plain href=(context.link(&path("recover"))) { "Recover" }
                }
                @if context.may(Action::ManageEndpoints) { (switch(context, &path("disable"), "Disable")) }
            }
        }
    }
}

/// A button that leads back to the same list.
fn switch(context: &Context, path: &str, label: &str) -> Markup {
    let return_to = context.query.on(&context.path);
    html! {
        form.inline method="post" action=(context.link(path)) {
            (ui::form::csrf(context))
            (ui::form::hidden(&[("return_to", &return_to)]))
            button.plain type="submit" { (label) }
        }
    }
}
