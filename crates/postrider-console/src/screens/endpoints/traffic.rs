//! The attempts of an endpoint over time.

use jiff::SignedDuration;
use maud::{Markup, html};
use postrider::api::{EndpointKind, StatisticsCountsOut, StatisticsPeriod, StatisticsSeriesOut};

use crate::{
    api::{ApiFailure, ApiPath, v1},
    context::Context,
    range::Range,
    ui::{
        self,
        chart::{self, Series},
    },
};

/// Hours that the bars of a row show.
const SPARK_HOURS: i64 = 24;

/// The attempts of an endpoint in a range.
pub(super) async fn series(
    context: &Context,
    app: &str,
    endpoint: &str,
    range: Range,
) -> Result<StatisticsSeriesOut, ApiFailure> {
    context.api.get(range.on(path(app, endpoint), context.now)).await
}

/// The attempts of an endpoint in each hour of the last day.
pub(super) async fn hourly(
    context: &Context,
    app: &str,
    endpoint: &str,
) -> Result<StatisticsSeriesOut, ApiFailure> {
    let since = context.now.saturating_sub(SignedDuration::from_hours(SPARK_HOURS - 1));
    let path = path(app, endpoint).with("period", StatisticsPeriod::OneHour.name());
    context.api.get(path.with("since", since.unwrap_or(context.now))).await
}

fn path(app: &str, endpoint: &str) -> ApiPath {
    v1(&["app", app, "endpoint", endpoint, "stats", "series"])
}

/// Delivered and failed attempts of the last day, for a row of a table.
pub(super) fn sparkline(series: &StatisticsSeriesOut) -> Markup {
    let points = by_hour(series);
    let total = &series.total;
    if total.delivered + total.failed == 0 {
        return html! { span.soft { "No attempts" } };
    }
    let label = format!(
        "Last 24 hours: {} delivered, {} failed",
        ui::number(total.delivered),
        ui::number(total.failed)
    );
    html! { span title=(label) { (chart::sparkline(&label, &points)) } }
}

/// Attempts by outcome.
pub(super) fn outcomes(series: &StatisticsSeriesOut, range: Range, kind: EndpointKind) -> Markup {
    let label = &format!("Attempts {}", range.per());
    let format = ui::number;
    if kind.is_http() {
        let values = &[
            ("delivered", "good"),
            ("4xx", "warning"),
            ("5xx", "bad"),
            ("other failures", "neutral"),
        ];
        let points = range.sums(series, by_status, values.len());
        return chart::bars(&Series { label, values, points, format });
    }
    let values = &[("delivered", "good"), ("failed", "bad")];
    let points = range.sums(series, |it| vec![it.delivered, it.failed], values.len());
    chart::bars(&Series { label, values, points, format })
}

/// How long attempts took.
pub(super) fn latency(series: &StatisticsSeriesOut, range: Range) -> Markup {
    let pick = |it: &StatisticsCountsOut| {
        let latency = &it.attempt_duration;
        vec![latency.p50_ms.unwrap_or_default(), latency.p95_ms.unwrap_or_default()]
    };
    let values = &[("median", "accent"), ("95th percentile", "warning")];
    let points = range.largest(series, pick, values.len());
    chart::lines(&Series { label: "Duration of attempts", values, points, format: ui::millis })
}

fn by_status(counts: &StatisticsCountsOut) -> Vec<u64> {
    let of = |cause: &str| counts.causes.get(cause).copied().unwrap_or_default();
    let (client, server) = (of("4xx"), of("5xx"));
    vec![counts.delivered, client, server, counts.failed.saturating_sub(client + server)]
}

/// Delivered and failed attempts of each hour, also of those without any.
fn by_hour(series: &StatisticsSeriesOut) -> Vec<(u64, u64)> {
    let hours = (series.until.as_second() - series.since.as_second()) / 3_600;
    let count = |hour: i64| {
        let at = series.since.as_second() + hour * 3_600;
        let found = series.data.iter().find(|it| it.at.as_second() == at);
        found.map_or((0, 0), |it| (it.counts.delivered, it.counts.failed))
    };
    (0..hours.min(SPARK_HOURS)).map(count).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use postrider::api::StatisticsPointOut;

    use super::*;

    fn counts(delivered: u64, failed: u64, causes: &[(&str, u64)]) -> StatisticsCountsOut {
        let causes = causes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        StatisticsCountsOut { delivered, failed, causes, ..StatisticsCountsOut::default() }
    }

    #[test]
    fn hours_in_which_nothing_happened_are_zero() {
        let at = |hour: i64| Timestamp::from_second(hour * 3_600).unwrap();
        let point = |hour, delivered| StatisticsPointOut {
            at: at(hour),
            counts: counts(delivered, 1, &[]),
        };
        let series = StatisticsSeriesOut {
            since: at(10),
            until: at(14),
            period: StatisticsPeriod::OneHour,
            data: vec![point(11, 5), point(13, 7)],
            total: StatisticsCountsOut::default(),
        };
        assert_eq!(by_hour(&series), [(0, 0), (5, 1), (0, 0), (7, 1)]);
    }

    #[test]
    fn failures_are_told_apart_by_status() {
        let counts = counts(5, 6, &[("4xx", 1), ("5xx", 2), ("timeout", 3)]);
        assert_eq!(by_status(&counts), [5, 1, 2, 3]);
    }
}
