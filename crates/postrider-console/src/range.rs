//! The time range of charts, and the numbers in it.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use postrider::api::{StatisticsCountsOut, StatisticsPeriod, StatisticsSeriesOut};

use crate::{api::ApiPath, context::Context};

/// A time range that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Hour,
    Day,
    Week,
    Month,
}

impl Range {
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The range that the page's URL names with `range`.
    pub(crate) fn of(context: &Context) -> Self {
        let name = context.query.text("range");
        Self::ALL.into_iter().find(|it| Some(it.name()) == name).unwrap_or(Self::Hour)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    /// What one point of a chart counts.
    pub(crate) const fn per(self) -> &'static str {
        match self {
            Self::Hour => "per minute",
            Self::Day => "per 15 minutes",
            Self::Week => "per 2 hours",
            Self::Month => "per 12 hours",
        }
    }

    /// The periods that are requested, their length in minutes, and how many make one point.
    const fn periods(self) -> (StatisticsPeriod, i64, usize) {
        match self {
            Self::Hour => (StatisticsPeriod::OneMinute, 1, 1),
            Self::Day => (StatisticsPeriod::FiveMinutes, 5, 3),
            Self::Week => (StatisticsPeriod::OneHour, 60, 2),
            Self::Month => (StatisticsPeriod::OneHour, 60, 12),
        }
    }

    const fn minutes(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
            Self::Month => 30 * 24 * 60,
        }
    }

    /// When the range begins.
    pub(crate) fn since(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(SignedDuration::from_mins(self.minutes())).unwrap_or(now)
    }

    /// The path of a series with the parameters of the range.
    pub(crate) fn on(self, path: ApiPath, now: Timestamp) -> ApiPath {
        path.with("period", self.periods().0.name()).with("since", self.since(now))
    }

    /// The numbers of each point, also of those without any.
    pub(crate) fn points(
        self,
        series: &StatisticsSeriesOut,
    ) -> Vec<(Timestamp, Vec<StatisticsCountsOut>)> {
        let (_, minutes, periods) = self.periods();
        let step = SignedDuration::from_mins(minutes * i64::try_from(periods).unwrap_or(1));
        let mut points: Vec<(Timestamp, Vec<_>)> = Vec::new();
        let mut at = series.since;
        while at < series.until {
            points.push((at, Vec::new()));
            let Ok(next) = at.checked_add(step) else { break };
            at = next;
        }
        for point in &series.data {
            let place = points.partition_point(|it| it.0 <= point.at);
            if let Some((_, counts)) = place.checked_sub(1).and_then(|it| points.get_mut(it)) {
                counts.push(point.counts.clone());
            }
        }
        points
    }

    /// The sums of numbers for each point of a chart.
    pub(crate) fn sums(
        self,
        series: &StatisticsSeriesOut,
        numbers: impl Fn(&StatisticsCountsOut) -> Vec<u64>,
        count: usize,
    ) -> Vec<(Timestamp, Vec<u64>)> {
        let sum = |counts: Vec<StatisticsCountsOut>| {
            counts.iter().map(&numbers).fold(vec![0; count], |total, it| {
                total.iter().zip(it).map(|(left, right)| left + right).collect()
            })
        };
        self.points(series).into_iter().map(|(at, counts)| (at, sum(counts))).collect()
    }

    /// The largest numbers in each point of a chart.
    pub(crate) fn largest(
        self,
        series: &StatisticsSeriesOut,
        numbers: impl Fn(&StatisticsCountsOut) -> Vec<u64>,
        count: usize,
    ) -> Vec<(Timestamp, Vec<u64>)> {
        let largest = |counts: Vec<StatisticsCountsOut>| {
            counts.iter().map(&numbers).fold(vec![0; count], |total, it| {
                total.iter().zip(it).map(|(left, right)| (*left).max(right)).collect()
            })
        };
        self.points(series).into_iter().map(|(at, counts)| (at, largest(counts))).collect()
    }
}

/// Links to the ranges.
pub(crate) fn ranges(context: &Context, current: Range) -> Markup {
    html! {
        nav.ranges aria-label="Time range" {
            @for range in Range::ALL {
                a href=(context.link(&context.query.with("range", range.name()).on(&context.path)))
                    aria-current=[(range == current).then_some("true")] { (range.label()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_a_point_for_each_step_and_loses_no_count() {
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let counts = |accepted| StatisticsCountsOut { accepted, ..StatisticsCountsOut::default() };
        let point = |minutes, accepted| postrider::api::StatisticsPointOut {
            at: at(minutes),
            counts: counts(accepted),
        };
        let series = StatisticsSeriesOut {
            since: at(0),
            until: at(60),
            period: StatisticsPeriod::FiveMinutes,
            data: vec![point(0, 1), point(10, 2), point(15, 4), point(55, 8)],
            total: counts(15),
        };
        let sums = Range::Day.sums(&series, |it| vec![it.accepted], 1);
        let values: Vec<_> = sums.iter().map(|it| it.1[0]).collect();
        assert_eq!(values, [3, 4, 0, 8]);
        let largest = Range::Day.largest(&series, |it| vec![it.accepted], 1);
        assert_eq!(largest[0].1, [2]);
    }
}
