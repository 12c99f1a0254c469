//! The list of messages, of one application or of all.

use std::sync::Arc;

use maud::{Markup, html};
use postrider::api::{
    ListResponse, LookupOut, LookupType, MessageDeliveryOut, MessageEndpointOut, MessageOut,
    OrganizationMessageOut, SearchResponse,
};

use super::{
    filter::{Filter, STATUSES},
    names::{Names, Offered},
    period,
    rows::{Row, table},
    saved,
};
use crate::{
    api::{ApiFailure, v1},
    context::Context,
    page::{Page, PageResult, Section, Tone},
    ui::{self, Field, Icon, icon, notice},
};

/// Messages on a page.
const LIMIT: usize = 50;

/// Most messages with the same event id that are shown.
const MAX_OF_EVENT: usize = 20;

/// What the search has found.
struct Found {
    rows: Vec<Row>,
    /// Where it goes on.
    iterator: Option<String>,
    is_complete: bool,
    searched_until: Option<jiff::Timestamp>,
}

pub(crate) async fn page(context: Arc<Context>) -> PageResult {
    let own = own_app(&context);
    let filter = Filter::read(&context.query, own.clone(), context.now);
    let (found, offered) = tokio::join!(find(&context, &filter), Offered::read(&context));
    let mut page = Page::new(Section::Messages, "Messages");
    if let Some(app) = own.as_deref().filter(|_| !context.is_portal()) {
        let names = Names::read(&context, [app.to_owned()]).await;
        page = page.crumb("Applications", "/apps").crumb(names.of(app), format!("/apps/{app}"));
    }
    let page = page.actions(export(&context)).part(html! {
        (saved::tabs(&context))
        (filters(&context, &offered, own.is_none()))
    });
    let found = match found {
        Ok(found) => found,
        Err(error) if error.is_input() || error.status() == http::StatusCode::NOT_FOUND => {
            return Ok(
                page.part(notice(Tone::Bad, &html! { "This filter cannot be used: " (error) "." }))
            );
        },
        Err(error) => return Err(error.into()),
    };
    let names = match own {
        Some(_) => None,
        None => Some(Names::read(&context, found.rows.iter().map(|it| it.app.clone())).await),
    };
    let list = results(&context, &found, names.as_ref());
    let is_repeated = filter.reads_payloads() || context.query.text("iterator").is_some();
    Ok(if is_repeated { page.part(list) } else { page.live("messages", list) })
}

/// The application of the page, if it is that of one application.
fn own_app(context: &Context) -> Option<String> {
    Some(context.app()).filter(|it| !it.is_empty())
}

async fn find(context: &Context, filter: &Filter) -> Result<Found, ApiFailure> {
    if let Some(event) = &filter.event {
        return of_event(context, filter, event).await;
    }
    let path = filter.on(v1(&["msg"]).with("limit", LIMIT).with("with_deliveries", true));
    let path = path.and("iterator", context.query.text("iterator"));
    let found: SearchResponse<OrganizationMessageOut> = context.api.get(path).await?;
    Ok(Found {
        rows: found.data.into_iter().map(Row::from).collect(),
        iterator: found.iterator,
        is_complete: found.done,
        searched_until: found.searched_until,
    })
}

/// The messages with an id or event id. The other conditions do not matter.
async fn of_event(context: &Context, filter: &Filter, event: &str) -> Result<Found, ApiFailure> {
    let places = if let Some(app) = &filter.app {
        vec![(app.clone(), event.to_owned())]
    } else {
        let found: LookupOut = context.api.get(v1(&["lookup"]).with("text", event)).await?;
        let messages = found.data.into_iter().filter(|it| it.r#type == LookupType::Message);
        messages.filter_map(|it| Some((it.app_id?.to_string(), it.id))).collect()
    };
    let mut rows = Vec::new();
    for (app, id) in places.into_iter().take(MAX_OF_EVENT) {
        rows.extend(row(context, app, &id).await?);
    }
    Ok(Found { rows, iterator: None, is_complete: true, searched_until: None })
}

async fn row(context: &Context, app: String, id: &str) -> Result<Option<Row>, ApiFailure> {
    let path = v1(&["app", &app, "msg", id]);
    let message = context.api.find::<MessageOut>(path.with("with_content", false)).await?;
    let Some(message) = message else { return Ok(None) };
    let path = v1(&["app", &app, "msg", id, "endpoint"]).with("expanded_statuses", true);
    let deliveries: ListResponse<MessageEndpointOut> = context.api.get(path).await?;
    let delivery = |it: MessageEndpointOut| MessageDeliveryOut {
        endpoint_id: it.id,
        status: it.status,
        status_text: it.status_text,
        attempts: 0,
        next_attempt: it.next_attempt,
    };
    let deliveries = deliveries.data.into_iter().map(delivery).collect();
    Ok(Some(Row { app, message, deliveries }))
}

fn export(context: &Context) -> Markup {
    let path = Filter::parameters(&context.query).on(&format!("{}/export", context.path));
    html! { a.button.secondary href=(context.link(&path)) download { (icon(Icon::Down)) "Export" } }
}

fn filters(context: &Context, offered: &Offered, has_apps: bool) -> Markup {
    let query = &context.query;
    let text = |name| query.text(name).unwrap_or_default();
    let line = |name, label| Field::new(name, label).value(text(name));
    ui::filters(
        context,
        &html! {
            @if has_apps { (offered.app_field(text("app"))) }
            (offered.type_field(text("type")))
            (line("status", "Delivery").select(&STATUSES))
            (period::preset_field(query, "Any time"))
            (line("contains", "Payload contains").line())
            details.more-filters open[Filter::has_details(query)] {
                summary { "More filters" }
                div.filters {
                    (line("event", "Event id or message id").code(1).line())
                    (line("channel", "Channel").line())
                    (line("tag", "Tag").line())
                    (line("path", "Payload path").placeholder("$.customer.id").code(1).line())
                    (line("value", "Value at this path").line())
                    (period::exact_fields(query))
                    (line("endpoint", "Endpoint id").code(1).line())
                }
            }
        },
    )
}

fn results(context: &Context, found: &Found, names: Option<&Names>) -> Markup {
    let continues = !found.is_complete && found.rows.len() < LIMIT;
    html! {
        @if found.rows.is_empty() && found.is_complete {
            (nothing(context))
        } @else if !found.rows.is_empty() {
            (table(context, &found.rows, names))
        }
        @if continues { (budget(context, found)) }
        @else { (ui::pages(context, found.iterator.as_deref(), found.is_complete)) }
    }
}

/// How far the search has come, and the link that continues it.
fn budget(context: &Context, found: &Found) -> Markup {
    let path =
        found.iterator.as_ref().map(|it| context.query.with("iterator", it).on(&context.path));
    html! {
        div.budget {
            p {
                @if found.rows.is_empty() { "No message matches so far. " }
                @if let Some(at) = found.searched_until {
                    "Searched back to " (ui::time::instant(context, at)) ", one part of the messages at a time."
                } @else { "There may be more." }
            }
            @if let Some(path) = path {
                a.button.secondary rel="next" href=(context.link(&path)) { "Continue" (icon(Icon::Arrow)) }
            }
        }
    }
}

fn nothing(context: &Context) -> Markup {
    if context.query.pairs().iter().any(|it| !it.1.is_empty()) {
        return ui::empty(
            "No messages match",
            &html! {
                p { "Nothing was accepted that meets all conditions of the filter." }
                a.button.secondary href=(context.link(&context.path)) { "Show all messages" }
            },
        );
    }
    if context.is_portal() {
        let text = html! { p { "Messages appear here as soon as one is sent to you." } };
        return ui::empty("No messages yet", &text);
    }
    let app = own_app(context).unwrap_or_else(|| "APP".to_owned());
    let command = format!("postrider send {app} order.created '{{\"id\":\"ord_1\"}}'");
    ui::empty(
        "No messages yet",
        &html! {
            p { "Messages appear here as soon as your product publishes one. To publish one now:" }
            (ui::code::block("Command line", &command))
        },
    )
}
