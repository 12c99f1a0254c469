//! The search for ids, uids, names of event types and URLs.

mod targets;

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use postrider::api::LookupOut;

use self::targets::{Target, pages, target};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    failure::Failure,
    page::{Page, PageResult, Section},
    response,
    route::Routes,
    ui::{self, empty, table},
};

/// Longest text that is searched.
const MAX_TEXT: usize = 256;

/// Most matches that the palette shows.
const MAX_SUGGESTIONS: usize = 12;

/// The pages in the console.
pub(crate) fn console(routes: Routes) -> Routes {
    routes.page("/search", search).raw("/search/suggestions", suggestions)
}

async fn search(context: Arc<Context>) -> PageResult {
    let text = text(&context);
    let found = lookup(&context, &text).await?;
    let rows = html! {
        @for it in &found {
            tr {
                td { (it.kind) }
                td { a href=(context.link(&it.path)) { (it.label) } }
                td { @if let Some(id) = &it.id { (ui::id(id)) } }
            }
        }
    };
    let page = Page::new(Section::None, "Search").part(form(&context, &text));
    Ok(page.part(html! {
        @if text.is_empty() {
            (empty("Nothing to search for", &html! { p { "Enter an id, your own uid, an event id, the name of an event type, or the beginning of an endpoint's URL." } }))
        } @else if found.is_empty() {
            (empty("No matches", &html! {
                p { "Nothing has this id, uid, name or URL. Names of applications and payloads are not searched here: "
                    a href=(context.link("/apps")) { "filter the applications" } " or " a href=(context.link("/messages")) { "search the messages" } "." }
            }))
        } @else {
            (table("Matches", &["Type", "Name", "Id"], &rows))
        }
    }))
}

fn form(context: &Context, text: &str) -> Markup {
    html! {
        form.filters method="get" action=(context.link("/search")) role="search" aria-label="Search again" {
            div.field.wide {
                label for="search-text" { "Id, uid, event type or URL" }
                input #search-text type="search" name="q" value=(text);
            }
            button.secondary type="submit" { "Search" }
        }
    }
}

/// The entries of the palette, as a fragment.
async fn suggestions(context: Arc<Context>) -> Result<Response, Failure> {
    let text = text(&context);
    let mut found = pages(&text);
    if !text.is_empty() {
        found.splice(0..0, lookup(&context, &text).await?);
    }
    found.truncate(MAX_SUGGESTIONS);
    Ok(response::html(
        StatusCode::OK,
        context.audience,
        html! {
            @for (index, it) in found.iter().enumerate() {
                a role="option" id={ "palette-" (index) } aria-selected="false" href=(context.link(&it.path)) tabindex="-1" {
                    span { (it.label) } span.soft { (it.kind) }
                }
            }
            @if found.is_empty() { p.hint { "No matches" } }
        },
    ))
}

fn text(context: &Context) -> String {
    context.query.text("q").unwrap_or_default().chars().take(MAX_TEXT).collect()
}

async fn lookup(context: &Context, text: &str) -> Result<Vec<Target>, ApiFailure> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let found: LookupOut = context.api.get(v1(&["lookup"]).with("text", text)).await?;
    Ok(found.data.into_iter().map(target).collect())
}
