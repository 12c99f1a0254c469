//! Splitting a range of time into periods that are stored.

use super::resolution::{Resolution, StatisticsRetention};
use crate::time::Timestamp;

/// Periods of one resolution: those that begin from `since` on and before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub resolution: Resolution,
    pub since: Timestamp,
    pub until: Timestamp,
}

/// The few longest periods that make up the range: whole days, and hours and minutes at its ends.
/// The ends are rounded outwards to minutes, or to hours or days where shorter periods are not
/// kept any more.
pub fn periods(
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
    retention: &StatisticsRetention,
) -> Vec<Period> {
    let finest = |at: Timestamp| {
        let is_kept = |it: &Resolution| retention.first_kept(*it, now) <= at;
        Resolution::ALL.into_iter().find(is_kept).unwrap_or(Resolution::Day)
    };
    let since = finest(since).start(since);
    let until = finest(until).round_up(until);
    split(Resolution::Day, since, until)
}

fn split(resolution: Resolution, since: Timestamp, until: Timestamp) -> Vec<Period> {
    if since >= until {
        return Vec::new();
    }
    let Some(finer) = finer(resolution) else { return vec![Period { resolution, since, until }] };
    let (first, last) = (resolution.round_up(since), resolution.start(until));
    if first >= last {
        return split(finer, since, until);
    }
    let whole = Period { resolution, since: first, until: last };
    let before = split(finer, since, first);
    before.into_iter().chain([whole]).chain(split(finer, last, until)).collect()
}

const fn finer(resolution: Resolution) -> Option<Resolution> {
    match resolution {
        Resolution::Minute => None,
        Resolution::Hour => Some(Resolution::Minute),
        Resolution::Day => Some(Resolution::Hour),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: u64 = 24 * 60;

    const fn at(minute: u64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    fn check(since: u64, until: u64, now: u64, expected: &[(Resolution, u64, u64)]) {
        let days = |days| Duration::from_secs(days * DAY * 60);
        let retention = StatisticsRetention { minutes: days(2), hours: days(5), days: days(99) };
        let found = periods(at(since), at(until), at(now), &retention);
        let found: Vec<_> = found
            .iter()
            .map(|it| {
                let minute = |at: Timestamp| at.as_millis() / 60_000;
                (it.resolution, minute(it.since), minute(it.until))
            })
            .collect();
        assert_eq!(found, expected, "{since}..{until}");
    }

    #[test]
    fn a_range_has_long_periods_in_the_middle_and_short_ones_at_its_ends() {
        use Resolution::{Day, Hour, Minute};
        let now = 100 * DAY;
        check(now - 5, now, now, &[(Minute, now - 5, now)]);
        check(now - 65, now, now, &[(Minute, now - 65, now - 60), (Hour, now - 60, now)]);
        let since = now - DAY - 61;
        let expected = [
            (Minute, since, now - DAY - 60),
            (Hour, now - DAY - 60, now - DAY),
            (Day, now - DAY, now),
        ];
        check(since, now, now, &expected);
        check(now, now, now, &[]);
    }

    #[test]
    fn an_end_is_rounded_outwards_where_short_periods_are_gone() {
        use Resolution::{Day, Hour};
        let now = 100 * DAY;
        // Three days ago, minutes are gone; ten days ago, hours too.
        let hours_only = now - 3 * DAY + 10;
        check(hours_only, hours_only + 30, now, &[(Hour, now - 3 * DAY, now - 3 * DAY + 60)]);
        let days_only = now - 10 * DAY + 10;
        check(days_only, days_only + 30, now, &[(Day, now - 10 * DAY, now - 9 * DAY)]);
    }
}
