//! The lists of endpoints: of all applications, and of one.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use maud::{Markup, html};
use postrider::api::{
    ApplicationOut, EndpointKind, EndpointOut, EndpointStateOut, ListResponse, list::MAX_LIMIT,
};

use super::{
    condition::Condition,
    kinds,
    row::{self, Row},
    subject, traffic,
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    page::{Page, PageResult, Section},
    ui::{self, Field, Icon, icon},
    viewer::Action,
};

/// Endpoints on a page.
const LIMIT: usize = 25;

/// Pages of the API that are searched for failing endpoints.
const MAX_SEARCHED: usize = 8;

/// The states that can be chosen.
const STATES: [(&str, &str); 4] =
    [("", "Any"), ("failing", "Failing"), ("disabled", "Disabled"), ("enabled", "Enabled")];

/// The endpoints of all applications.
pub(super) async fn all(context: Arc<Context>) -> PageResult {
    let found = match context.query.text("app") {
        Some(app) => of_one(&context, app).await,
        None => of_all(&context).await,
    };
    let (found, unknown) = match found {
        Err(error) if error.status() == http::StatusCode::NOT_FOUND => (ListResponse::EMPTY, true),
        found => (found?, false),
    };
    let rows = rows(&context, found.data).await?;
    let page = Page::new(Section::Endpoints, "Endpoints").part(filters(&context));
    Ok(page.live("endpoints", html! {
        @if rows.is_empty() {
            @if unknown { (ui::empty("No such application", &html! { p { "Enter the id or the uid of an application." } })) }
            @else { (nothing(&context)) }
        } @else {
            (row::table(&context, &rows, true))
        }
        (ui::pages(&context, found.iterator.as_deref(), found.done))
    }))
}

/// The endpoints of one application.
pub(super) async fn own(context: Arc<Context>) -> PageResult {
    let app = context.app();
    let (name, found) =
        tokio::try_join!(subject::app_name(&context, &app), of_one(&context, &app))?;
    let rows = rows(&context, found.data).await?;
    let page = match name {
        Some(name) => {
            Page::new(Section::Endpoints, "Endpoints").crumb(name, context.app_path(&app, &[]))
        },
        None => Page::new(Section::Endpoints, "Endpoints"),
    };
    let is_filtered = context.query.text("state").is_some();
    let page = page.actions(creation(&context, &app));
    let page = if rows.is_empty() && !is_filtered { page } else { page.part(states(&context)) };
    Ok(page.live(
        "endpoints",
        html! {
            @if !rows.is_empty() { (row::table(&context, &rows, false)) }
            @else if is_filtered { (nothing(&context)) }
            @else { (first(&context, &app)) }
            (ui::pages(&context, found.iterator.as_deref(), found.done))
        },
    ))
}

fn creation(context: &Context, app: &str) -> Markup {
    html! {
        @if context.may(Action::ManageEndpoints) {
            a.button href=(context.link(&context.app_path(app, &["endpoints", "new"]))) { (icon(Icon::Plus)) "Create endpoint" }
        }
    }
}

fn state_filter(context: &Context) -> &str {
    context.query.text("state").unwrap_or_default()
}

async fn of_all(context: &Context) -> Result<ListResponse<EndpointStateOut>, ApiFailure> {
    let kind = context.query.text("kind").and_then(|it| it.parse::<EndpointKind>().ok());
    let path = v1(&["endpoint-state"]).and("kind", kind);
    let state = state_filter(context);
    if state == "failing" {
        return failing(context, path).await;
    }
    let disabled = matches!(state, "disabled" | "enabled").then_some(state == "disabled");
    let path = path.and("disabled", disabled).with("limit", LIMIT);
    context.api.get(path.and("iterator", context.query.text("iterator"))).await
}

/// The endpoints that are failing. An open circuit breaker is known to nodes only, so the list is
/// searched.
async fn failing(
    context: &Context,
    path: crate::api::ApiPath,
) -> Result<ListResponse<EndpointStateOut>, ApiFailure> {
    let path = path.with("disabled", false).with("limit", MAX_LIMIT);
    let mut iterator = context.query.text("iterator").map(ToOwned::to_owned);
    let mut found = Vec::new();
    for _ in 0..MAX_SEARCHED {
        let path = path.clone().and("iterator", iterator.as_ref());
        let page: ListResponse<EndpointStateOut> = context.api.get(path).await?;
        found.extend(page.data.into_iter().filter(|it| Condition::of(it).is_failing()));
        iterator = page.iterator;
        if page.done || found.len() >= LIMIT {
            return Ok(ListResponse {
                data: found,
                iterator,
                prev_iterator: None,
                done: page.done,
            });
        }
    }
    Ok(ListResponse { data: found, iterator, prev_iterator: None, done: false })
}

/// The endpoints of one application in the chosen state.
async fn of_one(
    context: &Context,
    app: &str,
) -> Result<ListResponse<EndpointStateOut>, ApiFailure> {
    let path = v1(&["app", app, "endpoint"]).with("limit", LIMIT);
    let path = path.and("iterator", context.query.text("iterator"));
    let page: ListResponse<EndpointOut> = context.api.get(path).await?;
    let kind = context.query.text("kind").and_then(|it| it.parse::<EndpointKind>().ok());
    let of_kind = page.data.iter().filter(|it| kind.is_none_or(|kind| it.kind == kind));
    let states = of_kind.map(async |it| {
        let path = v1(&["app", app, "endpoint", &it.id.to_string(), "state"]);
        context.api.find::<EndpointStateOut>(path).await
    });
    let states = join_all(states).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let matching = states.into_iter().flatten().filter(|it| match state_filter(context) {
        "failing" => Condition::of(it).is_failing(),
        "disabled" => it.disabled.is_some(),
        "enabled" => it.disabled.is_none(),
        _ => true,
    });
    let data = matching.collect();
    Ok(ListResponse { data, iterator: page.iterator, prev_iterator: None, done: page.done })
}

/// What the table shows of each endpoint.
async fn rows(context: &Context, states: Vec<EndpointStateOut>) -> Result<Vec<Row>, Failure> {
    let apps = app_names(context, &states).await?;
    let rows = states.into_iter().map(|state| {
        let app_name = apps.get(&state.app_id.to_string()).cloned();
        async move {
            let (app, id) = (state.app_id.to_string(), state.endpoint_id.to_string());
            let (endpoint, series) = tokio::try_join!(
                context.api.find::<EndpointOut>(v1(&["app", &app, "endpoint", &id])),
                traffic::hourly(context, &app, &id),
            )?;
            Ok::<_, ApiFailure>(endpoint.map(|endpoint| Row { endpoint, state, series, app_name }))
        }
    });
    let rows = join_all(rows).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().flatten().collect())
}

/// The names of applications by id; none in the portal.
async fn app_names(
    context: &Context,
    states: &[EndpointStateOut],
) -> Result<BTreeMap<String, String>, ApiFailure> {
    if context.is_portal() {
        return Ok(BTreeMap::new());
    }
    let mut ids: Vec<_> = states.iter().map(|it| it.app_id.to_string()).collect();
    ids.dedup();
    let names =
        ids.iter().map(async |id| context.api.find::<ApplicationOut>(v1(&["app", id])).await);
    let names = join_all(names).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().flatten().map(|it| (it.id.to_string(), it.name)).collect())
}

fn filters(context: &Context) -> Markup {
    let kinds = EndpointKind::ALL.map(|it| (it.name(), kinds::form(it).title));
    let kinds: Vec<_> = [("", "Any")].into_iter().chain(kinds).collect();
    let value = |name: &str| context.query.text(name).unwrap_or_default();
    ui::filters(
        context,
        &html! {
            (Field::new("state", "State").value(value("state")).select(&STATES))
            (Field::new("kind", "Kind").value(value("kind")).select(&kinds))
            (Field::new("app", "Application").value(value("app")).placeholder("Id or uid").line())
        },
    )
}

/// The choice of the state as links.
fn states(context: &Context) -> Markup {
    let chosen = state_filter(context);
    html! {
        div { nav.ranges aria-label="State" {
            @for (name, label) in STATES {
                @let query = context.query.without("iterator").without("state");
                @let query = if name.is_empty() { query } else { query.with("state", name) };
                @let label = if name.is_empty() { "All" } else { label };
                a href=(context.link(&query.on(&context.path))) aria-current=[(name == chosen).then_some("true")] { (label) }
            }
        } }
    }
}

/// Why there is no endpoint in the chosen state.
fn nothing(context: &Context) -> Markup {
    match state_filter(context) {
        "failing" => ui::empty(
            "No failing endpoints",
            &html! {
                p { "No circuit breaker is open, and no endpoint has given up deliveries since its last success." }
            },
        ),
        "disabled" => {
            ui::empty("No disabled endpoints", &html! { p { "Every endpoint gets messages." } })
        },
        _ if context.query.pairs().is_empty() => ui::empty(
            "No endpoints yet",
            &html! {
                p { "An endpoint is a URL of a customer’s that gets their messages. Choose the application that it belongs to, then create it there." }
                p { a.button href=(context.link("/apps")) { "Go to applications" } }
            },
        ),
        _ => ui::empty("No such endpoints", &html! { p { "No endpoint matches the filters." } }),
    }
}

/// The first endpoint of an application.
fn first(context: &Context, app: &str) -> Markup {
    ui::empty(
        "No endpoints yet",
        &html! {
            @if context.is_portal() {
                p { "An endpoint is a URL of yours. Events are sent there as signed HTTP requests as soon as they happen." }
            } @else {
                p { "An endpoint receives the messages of the application: a URL, a chat, a database or a queue." }
            }
            @if context.may(Action::ManageEndpoints) {
                p { a.button href=(context.link(&context.app_path(app, &["endpoints", "new"]))) { (icon(Icon::Plus)) "Create the first endpoint" } }
                @if !context.is_portal() {
                    (ui::code::block("Command line", &format!("postrider endpoint create {app} url=https://example.com/webhooks")))
                }
            }
        },
    )
}
