//! The time that the numbers are of.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use postrider::api::statistics::{StatisticsCountsOut, StatisticsPeriod, StatisticsSeriesOut};

/// Most periods of a chart.
const MAX_PERIODS: usize = 400;

/// A time until now.
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

    /// The range in the URL of the page, or a day.
    pub(super) fn of(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|it| Some(it.name()) == name).unwrap_or_default()
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Hour => "Last hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    /// The period of each point.
    pub(super) const fn period(self) -> StatisticsPeriod {
        match self {
            Self::Hour => StatisticsPeriod::OneMinute,
            Self::Day | Self::Week => StatisticsPeriod::OneHour,
            Self::Month => StatisticsPeriod::OneDay,
        }
    }

    pub(super) fn since(self, now: Timestamp) -> Timestamp {
        const HOUR: i64 = 3_600;
        let hours = match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
        };
        now.saturating_sub(SignedDuration::from_secs(hours * HOUR)).unwrap_or(Timestamp::MIN)
    }
}

/// The numbers of all periods, also of those in which nothing was counted.
pub(super) fn every_period(series: &StatisticsSeriesOut) -> Vec<(Timestamp, StatisticsCountsOut)> {
    let counted: HashMap<_, _> = series.data.iter().map(|it| (it.at, &it.counts)).collect();
    let length = length(series.period);
    let next = |at: &Timestamp| at.checked_add(length).ok();
    let starts = std::iter::successors(Some(series.since), next);
    let starts = starts.take_while(|at| *at < series.until).take(MAX_PERIODS);
    starts.map(|at| (at, counted.get(&at).map(|it| (*it).clone()).unwrap_or_default())).collect()
}

const fn length(period: StatisticsPeriod) -> Duration {
    Duration::from_secs(match period {
        StatisticsPeriod::OneDay => 86_400,
        StatisticsPeriod::OneHour => 3_600,
        StatisticsPeriod::FiveMinutes => 300,
        StatisticsPeriod::OneMinute => 60,
    })
}

#[cfg(test)]
mod tests {
    use postrider::api::statistics::StatisticsPointOut;

    use super::*;

    #[test]
    fn periods_without_events_are_zero() {
        let at = |hours: i64| Timestamp::from_second(hours * 3_600).unwrap();
        let counts = StatisticsCountsOut { accepted: 7, ..StatisticsCountsOut::default() };
        let series = StatisticsSeriesOut {
            since: at(1),
            until: at(4),
            period: StatisticsPeriod::OneHour,
            data: vec![StatisticsPointOut { at: at(2), counts: counts.clone() }],
            total: counts,
        };
        let all = every_period(&series);
        let accepted: Vec<_> = all.iter().map(|(at, counts)| (*at, counts.accepted)).collect();
        assert_eq!(accepted, [(at(1), 0), (at(2), 7), (at(3), 0)]);
    }
}
