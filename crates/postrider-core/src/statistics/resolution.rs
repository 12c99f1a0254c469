//! The lengths of the periods that are counted, and how long each is kept.

use std::time::Duration;

use crate::time::Timestamp;

const MINUTE: u64 = 60_000;

/// The length of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    Minute,
    Hour,
    Day,
}

impl Resolution {
    /// From the shortest to the longest.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    pub const fn millis(self) -> u64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 24 * 60 * MINUTE,
        }
    }

    /// When the period that contains this time begins, in UTC.
    pub const fn start(self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis() - at.as_millis() % self.millis())
    }

    /// The first time from `at` on at which a period begins.
    pub fn round_up(self, at: Timestamp) -> Timestamp {
        let start = self.start(at);
        if start == at { at } else { start + Duration::from_millis(self.millis()) }
    }

    /// The resolution as stores write it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Minute => 0,
            Self::Hour => 1,
            Self::Day => 2,
        }
    }
}

/// How long the statistics of each resolution are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsRetention {
    pub minutes: Duration,
    pub hours: Duration,
    pub days: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl StatisticsRetention {
    /// As it is unless it is configured.
    pub const DEFAULT: Self = Self {
        minutes: DAY.saturating_mul(3),
        hours: DAY.saturating_mul(60),
        days: DAY.saturating_mul(400),
    };

    /// When the first period begins that is kept.
    pub fn first_kept(&self, resolution: Resolution, now: Timestamp) -> Timestamp {
        let age = match resolution {
            Resolution::Minute => self.minutes,
            Resolution::Hour => self.hours,
            Resolution::Day => self.days,
        };
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        resolution.start(Timestamp::from_millis(now.as_millis().saturating_sub(age)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_at_a_whole_minute_hour_or_day() {
        let at = Timestamp::from_millis(1_700_000_123_456);
        let starts = Resolution::ALL.map(|it| it.start(at).to_rfc3339());
        assert_eq!(
            starts,
            ["2023-11-14T22:15:00Z", "2023-11-14T22:00:00Z", "2023-11-14T00:00:00Z"]
        );
        let ends = Resolution::ALL.map(|it| it.round_up(at).to_rfc3339());
        assert_eq!(ends, ["2023-11-14T22:16:00Z", "2023-11-14T23:00:00Z", "2023-11-15T00:00:00Z"]);
        let start = Resolution::Hour.start(at);
        assert_eq!(Resolution::Hour.round_up(start), start);
    }

    #[test]
    fn the_period_in_which_the_retention_ends_is_kept() {
        const MINUTE: Duration = Duration::from_secs(60);
        let retention = StatisticsRetention { minutes: MINUTE, hours: MINUTE, days: MINUTE };
        let now = Timestamp::from_millis(1_700_000_123_456);
        let kept = Resolution::ALL.map(|it| retention.first_kept(it, now).to_rfc3339());
        assert_eq!(kept, ["2023-11-14T22:14:00Z", "2023-11-14T22:00:00Z", "2023-11-14T00:00:00Z"]);
        let forever = StatisticsRetention { minutes: Duration::MAX, ..retention };
        assert_eq!(forever.first_kept(Resolution::Minute, now), Timestamp::default());
    }
}
