//! The page of the feed. Without scripts it shows the latest entries.

use std::{cmp::Reverse, sync::Arc};

use maud::{Markup, html};
use postrider::api::{
    IngestLogOut, ListResponse, OrganizationAttemptOut, OrganizationMessageOut, SearchResponse,
};

use super::{
    super::messages::names::{Names, Offered},
    entry::{Entry, row},
    filter::{Filter, KINDS},
};
use crate::{
    api::{ApiFailure, ingest, v1},
    context::Context,
    page::{Page, PageResult, Section, Tone},
    query::Query,
    ui::{self, Field, Icon, icon, notice},
};

/// Entries that are shown at first.
const FIRST: usize = 50;

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let filter = Filter::read(&context.query);
    let (found, offered) = tokio::join!(latest(&context, &filter), Offered::read(&context));
    let page = Page::new(Section::Live, "Live").part(filters(&context, &filter, &offered));
    let entries = match found {
        Ok(entries) => entries,
        Err(error) if error.is_input() || error.status() == http::StatusCode::NOT_FOUND => {
            return Ok(
                page.part(notice(Tone::Bad, &html! { "This filter cannot be used: " (error) "." }))
            );
        },
        Err(error) => return Err(error.into()),
    };
    let names = Names::read(&context, entries.iter().filter_map(Entry::app)).await;
    Ok(page.part(feed(&context, &entries, &names)))
}

/// The latest entries that match, newest first. State changes are not listed anywhere.
async fn latest(context: &Context, filter: &Filter) -> Result<Vec<Entry>, ApiFailure> {
    let messages = async {
        if !filter.admits("message") {
            return Ok(Vec::new());
        }
        let path = filter.on(v1(&["msg"]).with("limit", FIRST));
        let found: SearchResponse<OrganizationMessageOut> = context.api.get(path).await?;
        Ok(found.data.into_iter().map(|it| Entry::Message(Box::new(it))).collect())
    };
    let attempts = async {
        if !filter.admits("attempt") {
            return Ok(Vec::new());
        }
        let path = filter.on(v1(&["attempt"]).with("limit", FIRST));
        let path = path.and("status", filter.status.map(postrider::api::MessageStatus::number));
        let found: SearchResponse<OrganizationAttemptOut> = context.api.get(path).await?;
        Ok::<_, ApiFailure>(found.data.into_iter().map(|it| Entry::Attempt(Box::new(it))).collect())
    };
    let rejections = async {
        if !filter.admits("rejection") || filter.app.is_some() {
            return Ok(Vec::new());
        }
        let path = ingest(&["log"]).with("limit", FIRST).with("order", "descending");
        let found: ListResponse<IngestLogOut> = context.api.get(path).await?;
        Ok(found.data.into_iter().map(|it| Entry::Rejection(Box::new(it))).collect())
    };
    let (messages, attempts, rejections) = tokio::try_join!(messages, attempts, rejections)?;
    let mut entries: Vec<Entry> = [messages, attempts, rejections].concat();
    entries.sort_by_key(|it| Reverse(it.at()));
    entries.truncate(FIRST);
    Ok(entries)
}

fn filters(context: &Context, filter: &Filter, offered: &Offered) -> Markup {
    let text = |name| context.query.text(name).unwrap_or_default();
    let results = [("", "Any"), ("0", "Succeeded"), ("2", "Failed")];
    ui::filters(
        context,
        &html! {
            fieldset.entry-kinds {
                legend { "Show" }
                @for (name, label) in KINDS {
                    label.choice { input type="checkbox" name="kind" value=(name) checked[filter.has_chosen(name)]; (label) }
                }
            }
            (offered.app_field(text("app")))
            (offered.type_field(text("type")))
            (Field::new("status", "Attempts").value(text("status")).select(&results))
        },
    )
}

fn feed(context: &Context, entries: &[Entry], names: &Names) -> Markup {
    let query = context.query.pairs().iter().fold(Query::default(), |query, (name, value)| {
        query.and(name, Some(value).filter(|it| !it.is_empty()))
    });
    let after = entries.first().map(Entry::id);
    let stream = query.and("after", after).on("/live/stream");
    html! {
        div.feed #feed data-stream=(context.link(&stream)) {
            div.feed-bar {
                button.secondary #feed-pause type="button" hidden aria-pressed="false" { (icon(Icon::Pause)) span { "Pause" } }
                p.soft #feed-status role="status" {}
            }
            noscript { (notice(Tone::Neutral, &html! { "These are the latest entries. To go on by itself, this page needs scripts; reload it instead." })) }
            ol.feed-rows #feed-pinned aria-label="Pinned" {}
            ol.feed-rows #feed-rows data-rows aria-label="What happens, newest first" {
                @for entry in entries { (row(context, entry, names)) }
            }
            p.soft.feed-empty { "Nothing yet. Entries appear here as they happen." }
        }
    }
}
