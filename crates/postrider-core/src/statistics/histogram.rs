//! Durations in buckets, and estimates of their quantiles.

use std::time::Duration;

/// A bucket of durations. Bucket `n` has those below 2ⁿ milliseconds that do not fit into
/// bucket `n - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u8);

impl Bucket {
    /// Has everything from about 6 days on.
    pub const LAST: Self = Self(30);

    pub fn of(duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bits = u64::BITS - millis.leading_zeros();
        Self(u8::try_from(bits).map_or(Self::LAST.0, |bits| bits.min(Self::LAST.0)))
    }

    /// The bucket with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= Self::LAST.0 { Some(Self(number)) } else { None }
    }

    pub const fn number(self) -> u8 {
        self.0
    }

    /// Durations in the bucket are shorter than this many milliseconds.
    pub const fn below_millis(self) -> u64 {
        1 << self.0
    }

    /// The shortest duration in the bucket, in milliseconds.
    const fn first_millis(self) -> u64 {
        if self.0 == 0 { 0 } else { 1 << (self.0 - 1) }
    }
}

/// The number of durations in each bucket, from the shortest on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(Bucket, u64)>);

impl Histogram {
    /// The buckets have to be in ascending order.
    pub(super) const fn new(buckets: Vec<(Bucket, u64)>) -> Self {
        Self(buckets)
    }

    /// Buckets that are not empty.
    pub fn buckets(&self) -> &[(Bucket, u64)] {
        &self.0
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// Estimates the duration that `percent` percent of all durations do not exceed, as if those
    /// in a bucket were spread evenly; `None` if there are none.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0;
        for &(bucket, count) in &self.0 {
            if below + u128::from(count) >= rank {
                let width = u128::from(bucket.below_millis() - bucket.first_millis());
                let within = width * (rank - below) / u128::from(count.max(1));
                let millis = u128::from(bucket.first_millis()) + within;
                return Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)));
            }
            below += u128::from(count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_durations_up_to_twice_its_shortest() {
        let cases = [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1_023, 10), (1_024, 11)];
        for (millis, number) in cases {
            let bucket = Bucket::of(Duration::from_millis(millis));
            assert_eq!(bucket.number(), number, "{millis}");
            assert!(millis < bucket.below_millis());
        }
        assert_eq!(Bucket::of(Duration::MAX), Bucket::LAST);
        assert_eq!(Bucket::new(31), None);
    }

    #[test]
    fn a_percentile_is_estimated_within_its_bucket() {
        let bucket = |number, count| (Bucket::new(number).unwrap(), count);
        let histogram = Histogram::new(vec![bucket(3, 50), bucket(7, 49), bucket(14, 1)]);
        let millis = |percent| histogram.percentile(percent).unwrap().as_millis();
        // 4 to 8 ms, 64 to 128 ms, and 8 to 16 s.
        assert_eq!((millis(25), millis(50)), (6, 8));
        assert_eq!((millis(95), millis(99), millis(100)), (122, 128, 16_384));
        assert_eq!(Histogram::default().percentile(50), None);
    }
}
