//! The endpoints of an application's page.

use futures_util::future::join_all;
use maud::{Markup, html};
use postrider::api::{EndpointOut, EndpointStateOut, ListResponse};

use crate::{
    api::v1,
    context::Context,
    screens::endpoints::condition::Condition,
    ui::{self, Icon, icon},
    viewer::Action,
};

/// Endpoints that the page shows; the list of endpoints shows all.
pub(super) const MAX_SHOWN: u64 = 20;

/// Event types that a row names.
const MAX_TYPES: usize = 2;

/// The states of endpoints, which may be unknown.
pub(super) async fn states(
    context: &Context,
    app: &str,
    endpoints: &[EndpointOut],
) -> Vec<Option<EndpointStateOut>> {
    let state = |endpoint: &EndpointOut| {
        let path = v1(&["app", app, "endpoint", &endpoint.id.to_string(), "state"]);
        async move { context.api.get(path).await.ok() }
    };
    join_all(endpoints.iter().map(state)).await
}

pub(super) fn view(
    context: &Context,
    app: &str,
    endpoints: &ListResponse<EndpointOut>,
    states: &[Option<EndpointStateOut>],
) -> Markup {
    let create = context.may(Action::ManageEndpoints).then(|| {
        let path = context.app_path(app, &["endpoints", "new"]);
        html! { a.button.secondary href=(context.link(&path)) { (icon(Icon::Plus)) "Add endpoint" } }
    });
    html! {
        section.section {
            div.section-head { h2 { "Endpoints" } (create.unwrap_or_default()) }
            @if endpoints.data.is_empty() {
                (ui::empty("No endpoints yet", &html! {
                    p { "An endpoint is a URL that receives this application's messages. Without one, messages are stored but not delivered." }
                    (ui::code::block("Command line", &format!("postrider endpoint create {app} url=https://example.com/webhooks")))
                }))
            } @else { (table(context, app, &endpoints.data, states)) }
            @if !endpoints.done {
                p { (ui::link(context, &format!("/endpoints?app={app}"), "All endpoints of this application")) }
            }
        }
    }
}

fn table(
    context: &Context,
    app: &str,
    endpoints: &[EndpointOut],
    states: &[Option<EndpointStateOut>],
) -> Markup {
    let heads = ["Endpoint", "State", "#Pending", "Oldest due", "Event types", "Created"];
    let rows = html! {
        @for (endpoint, state) in endpoints.iter().zip(states) {
            @let path = context.app_path(app, &["endpoints", &endpoint.id.to_string()]);
            tr {
                td {
                    a.truncate href=(context.link(&path)) { (endpoint.url) }
                    @if !endpoint.description.is_empty() { small { (endpoint.description) } }
                }
                td { (state_of(context, state.as_ref())) }
                td.number { @if let Some(state) = state { (ui::count(state.pending)) } }
                td { @match state.as_ref().and_then(|it| it.oldest_due_at) {
                    Some(at) => { (ui::time(context, at)) },
                    None => { span.soft { "–" } },
                } }
                td { (event_types(endpoint)) }
                td { (ui::time(context, endpoint.created_at)) }
            }
        }
    };
    ui::table("Endpoints", &heads, &rows)
}

/// The state of an endpoint, and why.
fn state_of(context: &Context, state: Option<&EndpointStateOut>) -> Markup {
    let Some(state) = state else {
        return html! { span.soft { "–" } };
    };
    let condition = Condition::of(state);
    html! { (condition.badge()) small { (condition.reason(context)) } }
}

fn event_types(endpoint: &EndpointOut) -> Markup {
    let types = endpoint.event_types.0.as_deref().unwrap_or_default();
    html! {
        @if types.is_empty() { "All" }
        span.tags {
            @for name in types.iter().take(MAX_TYPES) { code.tag { (name) } }
            @if types.len() > MAX_TYPES { span.soft { "+" (types.len() - MAX_TYPES) } }
        }
    }
}
