//! Numbers of the customer's messages and attempts over time.

use std::{cmp::Reverse, sync::Arc};

use maud::{Markup, html};
use postrider::api::{LatencyOut, StatisticsCountsOut, StatisticsSeriesOut};
use postrider_core::statistics::Cause;

use crate::{
    api::v1,
    context::Context,
    page::{Page, PageResult, Section},
    range::{Range, ranges},
    ui::{self, chart, number},
};

pub(super) async fn page(context: Arc<Context>) -> PageResult {
    let range = Range::of(&context);
    let path = range.on(v1(&["app", &context.app(), "stats", "series"]), context.now);
    let series: StatisticsSeriesOut = context.api.get(path).await?;
    Ok(Page::new(Section::Overview, "Metrics")
        .actions(ranges(&context, range))
        .live("metrics", content(&context, range, &series)))
}

fn content(context: &Context, range: Range, series: &StatisticsSeriesOut) -> Markup {
    let total = &series.total;
    if total.accepted == 0 && total.delivered + total.failed == 0 {
        return ui::empty(
            "Nothing was sent",
            &html! {
                p { "There were neither messages nor attempts in this time." }
                a.button.secondary href=(context.link("/portal/endpoints")) { "Endpoints" }
            },
        );
    }
    html! {
        (totals(total))
        div.charts {
            div.card { (attempts(range, series)) }
            @if total.attempt_duration.count > 0 { div.card { (durations(range, series)) } }
        }
        (causes(total))
    }
}

fn totals(total: &StatisticsCountsOut) -> Markup {
    let attempts = total.delivered + total.failed;
    let duration = &total.attempt_duration;
    html! {
        section.numbers aria-label="Totals" {
            (figure("Messages", &number(total.accepted), None))
            (figure("Delivered", &number(total.delivered), Some(format!("{} of all attempts", share(total.delivered, attempts)))))
            (figure("Failed attempts", &number(total.failed), Some(format!("{} given up", number(total.given_up)))))
            (figure("Response time", &time(duration.p50_ms), Some(format!("95 % within {}", time(duration.p95_ms)))))
        }
    }
}

fn figure(name: &str, value: &str, note: Option<String>) -> Markup {
    html! {
        div {
            span.name { (name) }
            span.value { (value) }
            @if let Some(note) = note { span.note { (note) } }
        }
    }
}

fn time(millis: Option<u64>) -> String {
    millis.map_or_else(|| "–".to_owned(), ui::millis)
}

/// A share in percent; it is 100 % only if it is everything.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    let (percent, tenth) = (tenths / 10, tenths % 10);
    if tenth == 0 { format!("{percent} %") } else { format!("{percent}.{tenth} %") }
}

fn attempts(range: Range, series: &StatisticsSeriesOut) -> Markup {
    chart::bars(&chart::Series {
        label: &format!("Attempts {}", range.per()),
        values: &[("delivered", "good"), ("failed", "bad")],
        points: range.sums(series, |it| vec![it.delivered, it.failed], 2),
        format: number,
    })
}

fn durations(range: Range, series: &StatisticsSeriesOut) -> Markup {
    let quantiles = |counts: &StatisticsCountsOut| {
        let LatencyOut { p50_ms, p95_ms, .. } = &counts.attempt_duration;
        vec![p50_ms.unwrap_or_default(), p95_ms.unwrap_or_default()]
    };
    chart::lines(&chart::Series {
        label: "Response time of your endpoints",
        values: &[("median", "accent"), ("95th percentile", "warning")],
        points: range.largest(series, quantiles, 2),
        format: ui::millis,
    })
}

/// Why attempts failed, the most frequent cause first.
fn causes(total: &StatisticsCountsOut) -> Markup {
    let mut causes: Vec<_> = total.causes.iter().filter(|it| *it.1 > 0).collect();
    causes.sort_by_key(|(name, count)| (Reverse(**count), *name));
    html! {
        @if !causes.is_empty() {
            section.section {
                h2 { "Why attempts failed" }
                (ui::table("Why attempts failed", &["Cause", "#Attempts", "#Share", "What to do"], &html! {
                    @for (name, count) in causes {
                        tr {
                            td { strong { (name) } }
                            td.number { (ui::count(*count)) }
                            td.number { (share(*count, total.failed)) }
                            td { (remedy(name)) }
                        }
                    }
                }))
            }
        }
    }
}

fn remedy(cause: &str) -> String {
    let known = Cause::ALL.into_iter().find(|it| it.name() == cause);
    known.map(|it| ui::sentence(it.remedy())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_everything_is_100_percent() {
        for (part, whole, expected) in [
            (0, 0, "–"),
            (1, 1, "100 %"),
            (9_999, 10_000, "99.9 %"),
            (1, 2, "50 %"),
            (1, 3, "33.3 %"),
        ] {
            assert_eq!(share(part, whole), expected);
        }
    }

    #[test]
    fn every_cause_has_a_remedy() {
        for cause in Cause::ALL {
            assert!(remedy(cause.name()).ends_with('.'), "{cause:?}");
        }
    }
}
