//! The list of connectors.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{ListResponse, connector::ConnectorOut};

use super::fields::kind_name;
use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Section},
    site::join,
    ui::{self, Icon, code, icon},
    viewer::Action,
};

const HEADS: [&str; 4] = ["Connector", "Service", "Event types", "Updated"];

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let path = v1(&["connector"]).with("limit", 50).and("iterator", context.query.text("iterator"));
    let found: ListResponse<ConnectorOut> = context.api.get(path).await?;
    let page = Page::new(Section::Connectors, "Connectors").lead(
        html! { "A connector is code that turns messages into requests of a certain service. Endpoints can start from it." },
    );
    if found.data.is_empty() {
        return Ok(page.part(empty(&context)));
    }
    let page = if context.may(Action::Operate) { page.actions(create(&context)) } else { page };
    let rows = html! { @for it in &found.data { (row(&context, it)) } };
    Ok(page.part(html! {
        (ui::table("Connectors", &HEADS, &rows))
        (ui::pages(&context, found.iterator.as_deref(), found.done))
    }))
}

fn row(context: &Context, it: &ConnectorOut) -> Markup {
    let types = it.allowed_event_types.as_deref().unwrap_or_default();
    html! {
        tr {
            td {
                a href=(context.link(&join(&["connectors", &it.id.to_string()]))) { (it.name) }
                @if !it.description.is_empty() { small { (it.description) } }
            }
            td { (kind_name(it.kind)) }
            td {
                @match types {
                    [] => span.soft { "all" },
                    [only] => code { (only) },
                    _ => (ui::plural(types.len() as u64, "event type")),
                }
            }
            td { (ui::time(context, it.updated_at)) }
        }
    }
}

fn create(context: &Context) -> Markup {
    html! { a.button href=(context.link("/connectors/new")) { (icon(Icon::Plus)) "Create connector" } }
}

fn empty(context: &Context) -> Markup {
    ui::empty(
        "No connectors yet",
        &html! {
            p { "A connector lets an endpoint post to Slack, Segment or your own service in the format that it expects. Begin with one of the templates, and adapt the code." }
            p { "To use it, open an endpoint, and choose it under “Filter and transformation”." }
            @if context.may(Action::Operate) { (create(context)) }
            (code::block("Command line", "postrider connector create name=Slack kind=Slack --code slack.js"))
        },
    )
}
