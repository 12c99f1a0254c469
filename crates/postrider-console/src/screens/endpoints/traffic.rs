//! Attempts over time: ranges, and series without gaps.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use postrider::api::{EndpointKind, StatisticsCountsOut, StatisticsPeriod, StatisticsSeriesOut};

use crate::{
    api::{ApiFailure, ApiPath, v1},
    context::Context,
    ui::{
        self,
        chart::{self, Series},
    },
};

/// How far a page looks back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Range {
    Hour,
    #[default]
    Day,
    Week,
    Month,
}

impl Range {
    pub(super) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The parameter of a URL.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "28d",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "28 days",
        }
    }

    pub(super) const fn length(self) -> Duration {
        let hours = match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 28 * 24,
        };
        Duration::from_secs(hours * 60 * 60)
    }

    const fn period(self) -> StatisticsPeriod {
        match self {
            Self::Hour => StatisticsPeriod::OneMinute,
            Self::Day => StatisticsPeriod::OneHour,
            Self::Week | Self::Month => StatisticsPeriod::OneDay,
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == text)
    }

    /// The range of a page's URL.
    pub(super) fn of(context: &Context) -> Self {
        context.query.text("range").and_then(Self::parse).unwrap_or_default()
    }

    /// When it begins.
    pub(super) fn since(self, now: Timestamp) -> Timestamp {
        let length = SignedDuration::try_from(self.length()).unwrap_or_default();
        now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Links to the same page with other ranges.
    pub(super) fn links(self, context: &Context) -> Markup {
        html! {
            nav.segments aria-label="Time range" {
                @for range in Self::ALL {
                    @let path = context.query.with("range", range.name()).on(&context.path);
                    a href=(context.link(&path)) aria-current=[(range == self).then_some("true")] { (range.label()) }
                }
            }
        }
    }
}

/// The operation that returns the attempts of an endpoint over time.
fn series_path(context: &Context, app: &str, endpoint: &str, range: Range) -> ApiPath {
    v1(&["app", app, "endpoint", endpoint, "stats", "series"])
        .with("since", range.since(context.now))
        .with("period", range.period().name())
}

/// The attempts of an endpoint over time.
pub(super) async fn series(
    context: &Context,
    app: &str,
    endpoint: &str,
    range: Range,
) -> Result<StatisticsSeriesOut, ApiFailure> {
    context.api.get(series_path(context, app, endpoint, range)).await
}

/// Delivered and failed attempts of the last day, for a row of a table.
pub(super) fn sparkline(series: &StatisticsSeriesOut) -> Markup {
    let points = complete(series, |it| vec![it.delivered, it.failed]);
    let points: Vec<_> = points.iter().map(|(_, it)| (it[0], it[1])).collect();
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
pub(super) fn outcomes(series: &StatisticsSeriesOut, kind: EndpointKind) -> Markup {
    let (values, pick): (&[(&str, &str)], fn(&StatisticsCountsOut) -> Vec<u64>) = if kind.is_http()
    {
        let values = &[
            ("Delivered", "good"),
            ("4xx", "warning"),
            ("5xx", "bad"),
            ("Other failures", "neutral"),
        ];
        (values, by_status)
    } else {
        (&[("Delivered", "good"), ("Failed", "bad")], |it| vec![it.delivered, it.failed])
    };
    let points = complete(series, pick);
    chart::bars(&Series { label: "Attempts", values, points, format: ui::number })
}

/// How long attempts took.
pub(super) fn latency(series: &StatisticsSeriesOut) -> Markup {
    let pick = |it: &StatisticsCountsOut| {
        let latency = &it.attempt_duration;
        vec![latency.p50_ms.unwrap_or_default(), latency.p95_ms.unwrap_or_default()]
    };
    let values = &[("p50", "accent"), ("p95", "warning")];
    let points = complete(series, pick);
    chart::lines(&Series { label: "Duration of attempts", values, points, format: ui::millis })
}

fn by_status(counts: &StatisticsCountsOut) -> Vec<u64> {
    let of = |cause: &str| counts.causes.get(cause).copied().unwrap_or_default();
    let (client, server) = (of("4xx"), of("5xx"));
    vec![counts.delivered, client, server, counts.failed.saturating_sub(client + server)]
}

/// The values of all periods, also of those in which nothing was counted.
fn complete(
    series: &StatisticsSeriesOut,
    pick: impl Fn(&StatisticsCountsOut) -> Vec<u64>,
) -> Vec<(Timestamp, Vec<u64>)> {
    const MAX_POINTS: usize = 1_440;
    let length = period_length(series.period);
    let mut points = Vec::new();
    let mut known = series.data.iter().peekable();
    let mut at = series.since;
    while at < series.until && points.len() < MAX_POINTS {
        let counts = known.next_if(|it| it.at <= at).map(|it| &it.counts);
        points.push((at, counts.map_or_else(|| pick(&StatisticsCountsOut::default()), &pick)));
        let Ok(next) = at.checked_add(length) else { break };
        at = next;
    }
    points
}

const fn period_length(period: StatisticsPeriod) -> SignedDuration {
    SignedDuration::from_secs(match period {
        StatisticsPeriod::OneDay => 24 * 60 * 60,
        StatisticsPeriod::OneHour => 60 * 60,
        StatisticsPeriod::FiveMinutes => 5 * 60,
        StatisticsPeriod::OneMinute => 60,
    })
}

#[cfg(test)]
mod tests {
    use postrider::api::StatisticsPointOut;

    use super::*;

    fn counts(delivered: u64, failed: u64, causes: &[(&str, u64)]) -> StatisticsCountsOut {
        let causes = causes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        StatisticsCountsOut { delivered, failed, causes, ..StatisticsCountsOut::default() }
    }

    #[test]
    fn periods_in_which_nothing_happened_are_zero() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let point = |minute, delivered| StatisticsPointOut {
            at: at(minute),
            counts: counts(delivered, 0, &[]),
        };
        let series = StatisticsSeriesOut {
            since: at(10),
            until: at(14),
            period: StatisticsPeriod::OneMinute,
            data: vec![point(11, 5), point(13, 7)],
            total: StatisticsCountsOut::default(),
        };
        let points = complete(&series, |it| vec![it.delivered]);
        let expected = [(10, 0), (11, 5), (12, 0), (13, 7)];
        assert_eq!(points, expected.map(|(minute, count)| (at(minute), vec![count])));
    }

    #[test]
    fn failures_are_told_apart_by_status() {
        let counts = counts(5, 6, &[("4xx", 1), ("5xx", 2), ("timeout", 3)]);
        assert_eq!(by_status(&counts), [5, 1, 2, 3]);
    }

    #[test]
    fn ranges_have_names() {
        for range in Range::ALL {
            assert_eq!(Range::parse(range.name()), Some(range));
        }
        assert_eq!(Range::parse("1y"), None);
    }
}
