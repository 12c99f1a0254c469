//! The audit log.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use maud::{Markup, html};
use postrider::api::{AuditChange, AuditEntryOut, ListResponse, PrincipalKind, Withheld};

use super::tabs;
use crate::{
    api::{ApiPath, v1},
    context::Context,
    failure::Failure,
    page::PageResult,
    query::Query,
    ui::{self, Field},
};

/// The filters in the URL, which are also those of the export.
const FILTERS: [&str; 5] = ["operation", "principal", "record_id", "after", "before"];

/// Longest value of a field that is shown.
const MAX_VALUE: usize = 200;

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    if let Some(refusal) = tabs::refusal(&context) {
        return Ok(refusal);
    }
    let path = v1(&["audit-log"]).with("limit", 50).with("order", "descending");
    let path = filtered(path, &context.query).and("iterator", context.query.text("iterator"));
    let entries: ListResponse<AuditEntryOut> = context.api.get(path).await?;
    let export = context.query.only(&FILTERS).on("/settings/audit.ndjson");
    Ok(tabs::page(&context).part(html! {
        (ui::filters(&context, &fields(&context)))
        @if entries.data.is_empty() {
            (ui::empty("No entries", &html! { p { "Nothing was changed, or no change matches the filters." } }))
        } @else {
            (ui::table("Audit log", &["Time", "Who", "Operation", "Record", "Changes"], &html! {
                @for it in &entries.data { (line(&context, it)) }
            }))
        }
        div.buttons.spread {
            a.button.secondary href=(context.link(&export)) download="audit-log.ndjson" { "Export as NDJSON" }
            (ui::pages(&context, entries.iterator.as_deref(), entries.done))
        }
    }))
}

fn fields(context: &Context) -> Markup {
    let value = |name| context.query.text(name).unwrap_or_default();
    html! {
        (Field::new("operation", "Operation").value(value("operation")).placeholder("v1.endpoint.update").line())
        (Field::new("principal", "Who").value(value("principal")).placeholder("id of a key or person").line())
        (Field::new("record_id", "Record").value(value("record_id")).placeholder("ep_…, src_…").line())
        (Field::new("after", "From (UTC)").value(value("after")).kind("datetime-local").line())
        (Field::new("before", "Until (UTC)").value(value("before")).kind("datetime-local").line())
    }
}

/// Adds the filters of a URL.
fn filtered(path: ApiPath, query: &Query) -> ApiPath {
    FILTERS.iter().fold(path, |path, name| {
        let value = query.text(name);
        match *name {
            "after" | "before" => path.and(name, value.map(instant)),
            _ => path.and(name, value),
        }
    })
}

/// The time that a person entered, in UTC; other texts as they are, so that the API explains them.
fn instant(text: &str) -> String {
    let civil = text.parse::<DateTime>().ok().filter(|_| text.parse::<Timestamp>().is_err());
    let instant = civil.and_then(|it| TimeZone::UTC.to_timestamp(it).ok());
    instant.map_or_else(|| text.to_owned(), |it| it.to_string())
}

fn line(context: &Context, it: &AuditEntryOut) -> Markup {
    let kind = match it.principal.kind {
        PrincipalKind::ApiKey => "API key",
        PrincipalKind::OrganizationToken => "token",
        PrincipalKind::ApplicationToken => "customer’s token",
        PrincipalKind::User => "person",
        PrincipalKind::Installation => "server",
    };
    let who = it.principal.name.as_deref().unwrap_or(&it.principal.id);
    let filter = |name, value: &str| {
        context.link(&context.query.without("iterator").with(name, value).on(&context.path))
    };
    html! {
        tr {
            td { (ui::time(context, it.timestamp)) }
            td {
                a href=(filter("principal", &it.principal.id)) { (who) }
                small { (kind) @if let Some(address) = it.address { " · " (address) } }
            }
            td { a href=(filter("operation", &it.operation)) { (it.operation) } }
            td { (it.record.kind) small { a href=(filter("record_id", &it.record.id)) { code { (it.record.id) } } } }
            td { (changes(&it.changes)) }
        }
    }
}

fn changes(changes: &[AuditChange]) -> Markup {
    if changes.is_empty() {
        return html! { span.soft { "none" } };
    }
    html! {
        details.changes {
            summary { (ui::plural(changes.len() as u64, "field")) }
            dl {
                @for it in changes {
                    div { dt { code { (it.field) } } dd { (change(it)) } }
                }
            }
        }
    }
}

fn change(it: &AuditChange) -> Markup {
    let value = |it: &serde_json::Value| {
        let text = it.to_string();
        if text.len() <= MAX_VALUE {
            return text;
        }
        format!("{}…", text.chars().take(MAX_VALUE).collect::<String>())
    };
    html! {
        @match it.withheld {
            Some(Withheld::Secret) => { span.soft { "a secret" } },
            Some(Withheld::Size) => { span.soft { "too long to be kept" } },
            None => {
                @if let Some(old) = &it.old { del { (value(old)) } " " }
                @if let Some(new) = &it.new { ins { (value(new)) } }
                @else { span.soft { "removed" } }
            },
        }
    }
}

pub(super) async fn export(context: Arc<Context>) -> Result<Response, Failure> {
    let path = filtered(v1(&["audit-log", "export"]), &context.query);
    let body = context.api.stream(path, None).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit-log.ndjson\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_are_utc() {
        let rows = [
            ("2026-11-27T10:00", "2026-11-27T10:00:00Z"),
            ("2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
            ("yesterday", "yesterday"),
        ];
        for (text, expected) in rows {
            assert_eq!(instant(text), expected);
        }
    }
}
