//! Numbers of messages and attempts.

use maud::{Markup, html};
use postrider::api::{StatisticsSeriesOut, StatusOut};

use crate::{
    context::Context,
    range::Range,
    ui::{self, chart, number},
};

pub(super) fn view(
    context: &Context,
    range: Range,
    series: &StatisticsSeriesOut,
    status: &StatusOut,
) -> Markup {
    let outcomes = chart::Series {
        label: &format!("Attempts {}", range.per()),
        values: &[("delivered", "good"), ("failed", "bad")],
        points: range.sums(series, |it| vec![it.delivered, it.failed], 2),
        format: number,
    };
    let latency = chart::Series {
        label: "Duration of attempts",
        values: &[("median", "accent"), ("95th percentile", "warning")],
        points: range.largest(
            series,
            |it| {
                let latency = &it.attempt_duration;
                vec![latency.p50_ms.unwrap_or_default(), latency.p95_ms.unwrap_or_default()]
            },
            2,
        ),
        format: ui::millis,
    };
    html! {
        (numbers(context, series, status))
        div.charts {
            div.card { (chart::bars(&outcomes)) }
            div.card { (chart::lines(&latency)) }
        }
    }
}

/// Numbers with links to the lists behind them.
fn numbers(context: &Context, series: &StatisticsSeriesOut, status: &StatusOut) -> Markup {
    let total = &series.total;
    let since = series.since;
    let attempts = |outcome: &str| format!("/messages?status={outcome}&after={since}");
    let quantiles = |latency: &postrider::api::LatencyOut| {
        let text = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), ui::millis);
        (text(latency.p50_ms), text(latency.p95_ms))
    };
    let (attempt, delivery) =
        (quantiles(&total.attempt_duration), quantiles(&total.time_to_delivery));
    let oldest = status.oldest_due_at.map(|at| html! { "oldest due " (ui::time(context, at)) });
    html! {
        section.numbers aria-label="Totals" {
            (figure(context, "Accepted", &number(total.accepted), None, &format!("/messages?after={since}")))
            (figure(context, "Delivered", &number(total.delivered), None, &attempts("success")))
            (figure(context, "Failed attempts", &number(total.failed), Some(html! { (number(total.given_up)) " given up" }), "/failures"))
            (figure(context, "Waiting", &number(status.waiting), oldest, "/messages?status=pending"))
            (figure(context, "Attempt", &attempt.0, Some(html! { "95 % within " (attempt.1) }), "/endpoints"))
            (figure(context, "End to end", &delivery.0, Some(html! { "95 % within " (delivery.1) }), "/endpoints"))
        }
    }
}

fn figure(context: &Context, name: &str, value: &str, note: Option<Markup>, path: &str) -> Markup {
    html! {
        a href=(context.link(path)) {
            span.name { (name) }
            span.value { (value) }
            @if let Some(note) = note { span.note { (note) } }
        }
    }
}
