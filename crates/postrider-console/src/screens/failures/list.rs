//! The list of failures.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{FailureCause, FailureGroupOut, SearchResponse};

use super::{
    super::messages::{
        attempt::explain::label,
        names::{Names, Offered},
        period,
    },
    filter::Filter,
    groups,
};
use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Section, Tone},
    query::Query,
    ui::{self, Field, Icon, icon, notice},
    viewer::Action,
};

/// The period if none is chosen.
const DEFAULT_RANGE: &str = "24h";

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let query = with_period(&context.query);
    let filter = Filter::read(&query, context.now);
    let path = filter.on(v1(&["attempt", "failures"]));
    let path = path.and("iterator", query.text("iterator"));
    let (found, offered) = tokio::join!(
        context.api.get::<SearchResponse<FailureGroupOut>>(path),
        Offered::read(&context),
    );
    let page = Page::new(Section::Failures, "Failures").part(filters(&context, &query, &offered));
    let found = match found {
        Ok(found) => found,
        Err(error) if error.is_input() || error.status() == http::StatusCode::NOT_FOUND => {
            return Ok(
                page.part(notice(Tone::Bad, &html! { "This filter cannot be used: " (error) "." }))
            );
        },
        Err(error) => return Err(error.into()),
    };
    let names = Names::read(&context, found.data.iter().map(|it| it.app_id.to_string())).await;
    let page =
        if context.may(Action::Operate) { page.actions(resend_button(&context)) } else { page };
    let list = results(&context, &found, &names);
    Ok(if context.query.text("iterator").is_some() {
        page.part(list)
    } else {
        page.live("groups", list)
    })
}

/// The parameters of the URL, with a period.
fn with_period(query: &Query) -> Query {
    let has_period = period::NAMES.iter().any(|name| query.text(name).is_some());
    if has_period || query.pairs().iter().any(|it| it.0 == "range") {
        return query.clone();
    }
    query.with("range", DEFAULT_RANGE)
}

fn resend_button(context: &Context) -> Markup {
    let kept = ["app", "endpoint", "type", "cause", "range", "from", "until"];
    let query =
        kept.iter().fold(Query::default(), |query, name| query.and(name, context.query.text(name)));
    html! { a.button.secondary href=(context.link(&query.on("/failures/resend"))) { (icon(Icon::Repeat)) "Resend deliveries" } }
}

/// All causes, for a field.
fn cause_options() -> Vec<(&'static str, &'static str)> {
    let mut options = vec![
        ("", "Any"),
        ("4xx", "Status 4xx"),
        ("5xx", "Status 5xx"),
        ("3xx", "Status 3xx"),
        ("404", "Status 404"),
        ("410", "Status 410"),
        ("429", "Status 429"),
        ("503", "Status 503"),
    ];
    let named = FailureCause::ALL.into_iter().filter(|it| *it != FailureCause::Response);
    options.extend(named.map(|it| (it.name(), label(it))));
    options
}

/// The field for a cause; a cause of the URL is offered in any case.
pub(super) fn cause_field(value: &str) -> Markup {
    let own = format!("Status {value}");
    let mut options: Vec<(&str, &str)> = cause_options();
    if !options.iter().any(|it| it.0 == value) {
        let label = if value == "response" { label(FailureCause::Response) } else { &own };
        options.push((value, label));
    }
    Field::new("cause", "Cause").value(value).select(&options)
}

fn filters(context: &Context, query: &Query, offered: &Offered) -> Markup {
    let text = |name| query.text(name).unwrap_or_default();
    let has_details =
        ["type", "endpoint", "from", "until"].iter().any(|it| query.text(it).is_some());
    ui::filters(
        context,
        &html! {
            (period::preset_field(query, "Any time"))
            (offered.app_field(text("app")))
            (cause_field(text("cause")))
            details.more-filters open[has_details] {
                summary { "More filters" }
                div.filters {
                    (offered.type_field(text("type")))
                    (Field::new("endpoint", "Endpoint id").value(text("endpoint")).code(1).line())
                    (period::exact_fields(query))
                }
            }
        },
    )
}

fn results(context: &Context, found: &SearchResponse<FailureGroupOut>, names: &Names) -> Markup {
    html! {
        @if found.data.is_empty() && found.done { (nothing(context)) }
        @else if !found.data.is_empty() {
            p.soft {
                (ui::plural(found.data.len() as u64, "group")) " of failed attempts, the largest first."
                @if let Some(at) = found.searched_until { " Attempts were counted back to " (ui::time::instant(context, at)) "." }
            }
            (groups::list(context, &found.data, names, !found.done))
        }
        @if !found.done { (continuation(context, found)) }
    }
}

/// The link to the groups of earlier attempts.
fn continuation(context: &Context, found: &SearchResponse<FailureGroupOut>) -> Markup {
    let path =
        found.iterator.as_ref().map(|it| context.query.with("iterator", it).on(&context.path));
    html! {
        div.budget {
            p { @if found.data.is_empty() { "No failure so far. " } "There may be earlier ones." }
            @if let Some(path) = path {
                a.button.secondary rel="next" href=(context.link(&path)) { "Earlier failures" (icon(Icon::Arrow)) }
            }
        }
    }
}

fn nothing(context: &Context) -> Markup {
    let path = format!("{}?range=", context.path);
    ui::empty(
        "No failed attempts",
        &html! {
            p { "Every attempt in this period with these conditions succeeded, or there were none." }
            a.button.secondary href=(context.link(&path)) { "Look at any time" }
        },
    )
}
