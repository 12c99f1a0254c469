//! What a source received over time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::Markup;
use postrider::api::statistics::{StatisticsPeriod, StatisticsSeriesOut};

use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    ui::{
        chart::{Series, bars, sparkline},
        number, time,
    },
};

/// A range of time that the charts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    length: Duration,
    period: StatisticsPeriod,
}

const HOUR: u64 = 60 * 60;

/// The ranges; the first is the default.
pub(super) const RANGES: [Range; 3] = [
    range("day", "24 hours", 24 * HOUR, StatisticsPeriod::OneHour),
    range("hour", "1 hour", HOUR, StatisticsPeriod::OneMinute),
    range("week", "7 days", 7 * 24 * HOUR, StatisticsPeriod::OneHour),
];

const fn range(
    name: &'static str,
    label: &'static str,
    seconds: u64,
    period: StatisticsPeriod,
) -> Range {
    Range { name, label, length: Duration::from_secs(seconds), period }
}

impl Range {
    /// The range in the URL of the page.
    pub(super) fn of(context: &Context) -> Self {
        let wanted = context.query.text("range");
        let found = RANGES.into_iter().find(|it| Some(it.name) == wanted);
        found.unwrap_or(RANGES[0])
    }

    fn since(self, now: Timestamp) -> Timestamp {
        let length = SignedDuration::try_from(self.length).unwrap_or_default();
        now.checked_sub(length).unwrap_or(now)
    }
}

/// What a source received in a range.
pub(super) async fn load(
    context: &Context,
    source: &str,
    range: Range,
) -> Result<StatisticsSeriesOut, ApiFailure> {
    let path = ingest(&["source", source, "stats", "series"]);
    let path = path.with("period", range.period.name()).with("since", range.since(context.now));
    context.api.get(path).await
}

/// The chart of a source.
pub(super) fn chart(series: &StatisticsSeriesOut) -> Markup {
    let point = |at, counts: [u64; 3]| (at, counts.to_vec());
    bars(&Series {
        label: "Requests",
        values: &[("Accepted", "good"), ("Duplicate", "warning"), ("Rejected", "bad")],
        points: series
            .data
            .iter()
            .map(|it| point(it.at, [it.counts.received, it.counts.duplicates, it.counts.rejected]))
            .collect(),
        format: number,
    })
}

/// Small bars for the list.
pub(super) fn line(series: &StatisticsSeriesOut) -> Markup {
    let counts = series.data.iter().map(|it| &it.counts);
    let points: Vec<_> = counts.map(|it| (it.received + it.duplicates, it.rejected)).collect();
    let total = &series.total;
    let label = format!(
        "{} accepted and {} rejected requests in the last {}",
        number(total.received + total.duplicates),
        number(total.rejected),
        time::duration(RANGES[0].length),
    );
    sparkline(&label, &points)
}
