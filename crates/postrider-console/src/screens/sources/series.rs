//! What a source received over time.

use maud::Markup;
use postrider::api::{StatisticsCountsOut, StatisticsSeriesOut};

use crate::{
    api::{ApiFailure, ingest},
    context::Context,
    range::Range,
    ui::{
        chart::{Series, bars, sparkline},
        number,
    },
};

/// What a source received in a range.
pub(super) async fn load(
    context: &Context,
    source: &str,
    range: Range,
) -> Result<StatisticsSeriesOut, ApiFailure> {
    let path = ingest(&["source", source, "stats", "series"]);
    context.api.get(range.on(path, context.now)).await
}

/// The chart of a source.
pub(super) fn chart(range: Range, series: &StatisticsSeriesOut) -> Markup {
    bars(&Series {
        label: &format!("Requests {}", range.per()),
        values: &[("Accepted", "good"), ("Duplicate", "warning"), ("Rejected", "bad")],
        points: range.sums(series, counts, 3),
        format: number,
    })
}

fn counts(it: &StatisticsCountsOut) -> Vec<u64> {
    vec![it.received, it.duplicates, it.rejected]
}

/// Small bars for the list, one for each of the last 24 hours.
pub(super) fn line(series: &StatisticsSeriesOut) -> Markup {
    let sums = Range::Day.sums(series, counts, 3);
    let hours = sums.chunks(4).map(|points| {
        let sum = |place: usize| points.iter().map(|it| it.1[place]).sum::<u64>();
        (sum(0) + sum(1), sum(2))
    });
    let total = &series.total;
    let label = format!(
        "{} accepted and {} rejected requests in the last 24 hours",
        number(total.received + total.duplicates),
        number(total.rejected),
    );
    sparkline(&label, &hours.collect::<Vec<_>>())
}
