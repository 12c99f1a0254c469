//! The time range of a series, in whole periods.

use std::time::Duration;

use postrider::api::StatisticsPeriod;
use postrider_core::{
    statistics::{Period, Resolution},
    time::Timestamp,
};

use crate::api::error::ApiError;

/// Periods of a series by default.
const DEFAULT_PERIODS: u64 = 60;

/// Most periods of a series: a day in minutes.
const MAX_PERIODS: u64 = 1_440;

/// How far statistics look back by default.
const SPAN: Duration = Duration::from_secs(28 * 24 * 60 * 60);

/// Whole periods from `since` to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    period: StatisticsPeriod,
}

impl Range {
    pub(super) fn of(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        period: StatisticsPeriod,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        let length = millis(period);
        let until = until.unwrap_or(now).min(now);
        let until = round_down(until + Duration::from_millis(length - 1), length);
        let default = until.as_millis().saturating_sub(DEFAULT_PERIODS * length);
        let since = round_down(since.unwrap_or(Timestamp::from_millis(default)), length);
        if since >= until {
            let message = "must be earlier than `until` and than now";
            return Err(ApiError::invalid(&["query", "since"], message));
        }
        if (until.as_millis() - since.as_millis()) / length > MAX_PERIODS {
            let message = format!(
                "the range has more than {MAX_PERIODS} periods; choose a longer `period` or a \
                 later `since`"
            );
            return Err(ApiError::invalid(&["query", "since"], message));
        }
        Ok(Self { since, until, period })
    }

    /// The periods that are stored for it.
    pub(super) const fn stored(self) -> Period {
        let resolution = match self.period {
            StatisticsPeriod::OneDay => Resolution::Day,
            StatisticsPeriod::OneHour => Resolution::Hour,
            StatisticsPeriod::FiveMinutes | StatisticsPeriod::OneMinute => Resolution::Minute,
        };
        Period { resolution, since: self.since, until: self.until }
    }

    /// The start of the period that contains this time.
    pub(super) fn start_of(self, at: Timestamp) -> Timestamp {
        round_down(at, millis(self.period))
    }

    /// The starts of all periods.
    pub(super) fn starts(self) -> impl Iterator<Item = Timestamp> {
        let length = millis(self.period);
        let count = (self.until.as_millis() - self.since.as_millis()) / length;
        (0..count).map(move |index| self.since + Duration::from_millis(index * length))
    }
}

const fn millis(period: StatisticsPeriod) -> u64 {
    match period {
        StatisticsPeriod::OneDay => Resolution::Day.millis(),
        StatisticsPeriod::OneHour => Resolution::Hour.millis(),
        StatisticsPeriod::FiveMinutes => 5 * Resolution::Minute.millis(),
        StatisticsPeriod::OneMinute => Resolution::Minute.millis(),
    }
}

const fn round_down(at: Timestamp, length: u64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() - at.as_millis() % length)
}

/// The time range of a query, up to now.
pub(super) fn of_query(
    now: Timestamp,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<(Timestamp, Timestamp), ApiError> {
    let until = until.unwrap_or(now).min(now);
    let span = u64::try_from(SPAN.as_millis()).unwrap_or(u64::MAX);
    let default = Timestamp::from_millis(until.as_millis().saturating_sub(span));
    let since = since.unwrap_or(default);
    if since >= until {
        let message = "must be earlier than `until` and than now";
        return Err(ApiError::invalid(&["query", "since"], message));
    }
    Ok((since, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_123_456);

    fn check(
        since: Option<u64>,
        until: Option<u64>,
        period: StatisticsPeriod,
        expected: Option<(&str, &str)>,
    ) {
        let at = |millis: Option<u64>| millis.map(Timestamp::from_millis);
        let range = Range::of(at(since), at(until), period, NOW).ok();
        let found = range.map(|it| (it.since.to_rfc3339(), it.until.to_rfc3339()));
        let expected = expected.map(|(since, until)| (since.to_owned(), until.to_owned()));
        assert_eq!(found, expected, "{since:?} {until:?} {period:?}");
    }

    #[test]
    fn a_range_has_whole_periods_up_to_now() {
        use StatisticsPeriod::{FiveMinutes, OneDay, OneHour, OneMinute};
        let now = NOW.as_millis();
        let hours = Some(("2023-11-12T11:00:00Z", "2023-11-14T23:00:00Z"));
        check(None, None, OneHour, hours);
        let minutes = Some(("2023-11-14T22:10:00Z", "2023-11-14T22:16:00Z"));
        check(Some(now - 301_000), Some(u64::MAX), OneMinute, minutes);
        let five = Some(("2023-11-14T22:10:00Z", "2023-11-14T22:20:00Z"));
        check(Some(now - 301_000), None, FiveMinutes, five);
        check(Some(now), Some(now - 86_400_000), OneDay, None);
        check(Some(0), None, OneMinute, None);
    }
}
