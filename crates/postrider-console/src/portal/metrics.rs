//! Numbers of the customer's messages and attempts over time.

mod range;

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use postrider::api::statistics::{LatencyOut, StatisticsCountsOut, StatisticsSeriesOut};

use self::range::{Range, every_period};
use crate::{
    api::v1,
    context::Context,
    page::{Page, Section},
    route::PageResult,
    ui::{self, chart, facts, tabs},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let range = Range::of(context.query.text("range"));
    let path = v1(&["app", &context.app(), "stats", "series"])
        .with("since", range.since(context.now))
        .with("period", range.period().name());
    let series: StatisticsSeriesOut = context.api.get(path).await?;
    let links = Range::ALL.map(|it| {
        let path = context.query.with("range", it.name()).on(&context.path);
        (it.label(), path, it == range)
    });
    Ok(Page::new(Section::Overview, "Metrics")
        .part(tabs(&context, "Range", &links))
        .live("metrics", content(&context, &series)))
}

fn content(context: &Context, series: &StatisticsSeriesOut) -> Markup {
    let total = &series.total;
    if total.accepted == 0 && total.delivered + total.failed == 0 {
        return ui::empty("Nothing was sent", &html! {
            p { "There were neither messages nor attempts in this time." }
            a.button.secondary href=(context.link("/portal/endpoints")) { "Endpoints" }
        });
    }
    let points = every_period(series);
    html! {
        (totals(total))
        (chart::bars(&attempts(&points)))
        @if total.attempt_duration.count > 0 { (chart::lines(&durations(&points))) }
        (causes(total))
    }
}

fn totals(total: &StatisticsCountsOut) -> Markup {
    let attempts = total.delivered + total.failed;
    let time = |latency: &LatencyOut, quantile: fn(&LatencyOut) -> Option<u64>| {
        quantile(latency).map_or_else(|| "–".to_owned(), ui::millis)
    };
    facts(&[
        ("Messages", html! { (ui::count(total.accepted)) }),
        ("Delivered", html! { (ui::count(total.delivered)) }),
        ("Failed attempts", html! { (ui::count(total.failed)) }),
        ("Successful attempts", html! { (share(total.delivered, attempts)) }),
        ("Response time, median", html! { (time(&total.attempt_duration, |it| it.p50_ms)) }),
        ("Response time, 95 %", html! { (time(&total.attempt_duration, |it| it.p95_ms)) }),
    ])
}

/// A share in percent; it is 100 % only if it is everything.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    if tenths.is_multiple_of(10) { format!("{} %", tenths / 10) } else { format!("{}.{} %", tenths / 10, tenths % 10) }
}

type Points = [(Timestamp, StatisticsCountsOut)];

fn attempts(points: &Points) -> chart::Series<'static> {
    let values = |counts: &StatisticsCountsOut| vec![counts.delivered, counts.failed];
    chart::Series {
        label: "Attempts",
        values: &[("delivered", "good"), ("failed", "bad")],
        points: points.iter().map(|(at, counts)| (*at, values(counts))).collect(),
        format: ui::number,
    }
}

fn durations(points: &Points) -> chart::Series<'static> {
    let values = |counts: &StatisticsCountsOut| {
        let LatencyOut { p50_ms, p95_ms, .. } = &counts.attempt_duration;
        vec![p50_ms.unwrap_or_default(), p95_ms.unwrap_or_default()]
    };
    chart::Series {
        label: "Response time of your endpoints",
        values: &[("median", "accent"), ("95 %", "warning")],
        points: points.iter().map(|(at, counts)| (*at, values(counts))).collect(),
        format: ui::millis,
    }
}

/// Why attempts failed, the most frequent cause first.
fn causes(total: &StatisticsCountsOut) -> Markup {
    let mut causes: Vec<_> = total.causes.iter().filter(|it| *it.1 > 0).collect();
    causes.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    html! {
        @if !causes.is_empty() {
            section.section {
                h2 { "Why attempts failed" }
                (ui::table("Why attempts failed", &["Cause", "#Attempts", "#Share"], &html! {
                    @for (name, count) in causes {
                        tr { td { (cause(name)) } td.number { (ui::count(*count)) } td.number { (share(*count, total.failed)) } }
                    }
                }))
            }
        }
    }
}

/// What a cause means for the owner of an endpoint.
fn cause(name: &str) -> Markup {
    let meaning = match name {
        "3xx" => "Your endpoint redirected the request. Redirects are not followed.",
        "4xx" => "Your endpoint refused the request.",
        "5xx" => "Your endpoint reported an error.",
        "resolve" => "The host name of your endpoint was not found.",
        "connect" => "Your endpoint did not accept the connection.",
        "tls" => "The encrypted connection to your endpoint failed.",
        "timeout" => "Your endpoint did not respond in time.",
        "forbidden" => "The address of your endpoint is not permitted.",
        "protocol" => "Your endpoint sent something that is not HTTP.",
        "misconfigured" => "The settings of the endpoint are incomplete or wrong.",
        _ => "",
    };
    html! { strong { (name) } @if !meaning.is_empty() { small { (meaning) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_everything_is_100_percent() {
        for (part, whole, expected) in
            [(0, 0, "–"), (1, 1, "100 %"), (9_999, 10_000, "99.9 %"), (1, 2, "50 %"), (1, 3, "33.3 %")]
        {
            assert_eq!(share(part, whole), expected);
        }
    }
}
