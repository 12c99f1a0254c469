//! The list of sources.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::{
    IngestLogOut, IngestSourceOut, ListResponse, statistics::StatisticsSeriesOut,
};

use super::{
    load::{messages, path, provider_name},
    series, state,
};
use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    page::{Page, PageResult, Section},
    range::Range,
    ui::{self, Icon, code, icon},
    viewer::Action,
};

/// A source with what it received.
struct Row {
    source: IngestSourceOut,
    series: Option<StatisticsSeriesOut>,
    last: Option<Timestamp>,
}

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let path = ingest(&["source"]).with("limit", 50).with("order", "descending");
    let path = path.and("iterator", context.query.text("iterator"));
    let sources: ListResponse<IngestSourceOut> = context.api.get(path).await?;
    let rows = join_all(sources.data.into_iter().map(|it| row(&context, it))).await;
    let page = Page::new(Section::Sources, "Sources");
    let page = if context.may(Action::Operate) && !rows.is_empty() {
        page.actions(html! {
            a.button href=(context.link("/sources/new")) { (icon(Icon::Plus)) "Create source" }
        })
    } else {
        page
    };
    if rows.is_empty() {
        return Ok(page.part(empty(&context)));
    }
    Ok(page.live(
        "sources",
        html! {
            (table(&context, &rows))
            (ui::pages(&context, sources.iterator.as_deref(), sources.done))
        },
    ))
}

/// What cannot be read is left out: the list is useful without it.
async fn row(context: &Context, source: IngestSourceOut) -> Row {
    let id = source.id.to_string();
    let series = series::load(context, &id, Range::Day);
    let (series, last) = tokio::join!(series, last_request(context, &source));
    Row { series: series.ok(), last: last.ok().flatten(), source }
}

/// When the source received a request last, accepted or not.
async fn last_request(
    context: &Context,
    source: &IngestSourceOut,
) -> Result<Option<Timestamp>, ApiFailure> {
    let id = source.id.to_string();
    let log = ingest(&["source", &id, "log"]).with("limit", 1).with("order", "descending");
    let (messages, log) = tokio::try_join!(
        messages(context, source, 1),
        context.api.get::<ListResponse<IngestLogOut>>(log),
    )?;
    let accepted = messages.first().map(|it| it.timestamp);
    Ok(accepted.max(log.data.first().map(|it| it.created_at)))
}

fn table(context: &Context, rows: &[Row]) -> Markup {
    let heads = [
        "Source",
        "URL",
        "24 hours",
        "#Accepted",
        "#Duplicate",
        "#Rejected",
        "Last request",
        "Status",
    ];
    ui::table("Sources", &heads, &html! { @for it in rows { (line(context, it)) } })
}

fn line(context: &Context, row: &Row) -> Markup {
    let Row { source, series, last } = row;
    let id = source.id.to_string();
    let rejected = path(&id, &["rejected"]);
    html! {
        tr {
            td {
                a href=(context.link(&path(&id, &[]))) { (source.name) }
                small { (provider_name(&source.provider)) }
            }
            td { (short_url(&source.ingest_url)) }
            @if let Some(series) = series {
                td { (series::line(series)) }
                td.number { (ui::count(series.total.received)) }
                td.number { (ui::count(series.total.duplicates)) }
                td.number {
                    @if series.total.rejected == 0 { (ui::count(0)) } @else {
                        a href=(context.link(&rejected)) { (ui::number(series.total.rejected)) }
                    }
                }
            } @else {
                td colspan="4" { span.soft { "not available" } }
            }
            td { @match last { Some(at) => { (ui::time(context, *at)) }, None => { span.soft { "never" } } } }
            td { (state::status(source.status)) }
        }
    }
}

/// The end of a URL is what distinguishes it.
fn short_url(url: &str) -> Markup {
    let token = url.rsplit('/').next().unwrap_or(url);
    let start: String = token.chars().take(8).collect();
    html! { span.id.source-url { code title=(url) { "…/in/" (start) "…" } (ui::text::copy(url, "Copy the URL")) } }
}

fn empty(context: &Context) -> Markup {
    ui::empty(
        "No sources yet",
        &html! {
            p { "A source is a URL that a provider such as Stripe or GitHub posts webhooks to. \
                 Each request is verified, and what is genuine becomes a message that is delivered to your endpoints." }
            @if context.may(Action::Operate) {
                a.button href=(context.link("/sources/new")) { (icon(Icon::Plus)) "Create source" }
            }
            (code::block("Command line", "postrider source create --provider stripe --secret whsec_…"))
        },
    )
}
