//! Endpoints as rows of a table.

use maud::{Markup, html};
use postrider::api::{EndpointOut, EndpointStateOut, StatisticsSeriesOut};

use super::{condition::Condition, kinds, traffic};
use crate::{
    context::Context,
    ui::{self, Icon, icon},
    viewer::Action,
};

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

/// The table; with the application if it has the endpoints of all of them.
pub(super) fn table(context: &Context, rows: &[Row], has_apps: bool) -> Markup {
    let app = if has_apps { Some("Application") } else { None };
    let may = context.may(Action::ManageEndpoints) || context.may(Action::CreateAttempts);
    let heads: Vec<_> = ["Endpoint"]
        .into_iter()
        .chain(app)
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
    let Row { endpoint, state, series, app_name } = row;
    let (app, id) = (state.app_id.to_string(), endpoint.id.to_string());
    let condition = Condition::of(state);
    let kind = kinds::form(endpoint.kind).title;
    let name = if endpoint.url.is_empty() { kind } else { &endpoint.url };
    html! {
        tr {
            td.endpoint-cell {
                a.truncate href=(context.link(&context.app_path(&app, &["endpoints", &id]))) title=(name) { (name) }
                small {
                    @if !endpoint.kind.is_http() { (kind) @if !endpoint.description.is_empty() { " · " } }
                    (endpoint.description)
                }
            }
            @if has_app {
                td { a href=(context.link(&context.app_path(&app, &[]))) { (app_name.as_deref().unwrap_or(&app)) } }
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

fn actions(context: &Context, row: &Row, app: &str, id: &str) -> Markup {
    let path = |action: &str| context.app_path(app, &["endpoints", id, action]);
    let return_to = context.query.on(&context.path);
    let fields = [("return_to", return_to.as_str())];
    html! {
        div.row-actions {
            @if row.endpoint.disabled {
                @if context.may(Action::ManageEndpoints) {
                    (ui::action_button(context, &path("enable"), (Icon::Check, "Enable"), &fields))
                }
            } @else {
                @if context.may(Action::CreateAttempts) {
                    a.button.secondary href=(context.link(&path("recover"))) { (icon(Icon::Repeat)) "Recover" }
                }
                @if context.may(Action::ManageEndpoints) {
                    (ui::action_button(context, &path("disable"), (Icon::Pause, "Disable"), &fields))
                }
            }
        }
    }
}
