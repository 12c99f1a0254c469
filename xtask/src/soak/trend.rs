//! A line through samples, by least squares, with the error of its slope.

use serde::Serialize;

/// A line through points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Trend {
    pub(crate) points: usize,
    pub(crate) mean: f64,
    /// Change of the value per unit of the first coordinate.
    pub(crate) slope: f64,
    /// Standard error of the slope.
    pub(crate) error: f64,
}

impl Trend {
    /// With fewer than three points, there is no error, so the slope is zero, too.
    pub(crate) fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        if points.len() < 3 {
            return Self { points: points.len(), ..Self::default() };
        }
        let middle = points.iter().map(|it| it.0).sum::<f64>() / count;
        let mean = points.iter().map(|it| it.1).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|it| (it.0 - middle).powi(2)).sum();
        let product: f64 = points.iter().map(|it| (it.0 - middle) * (it.1 - mean)).sum();
        let slope = product / spread;
        let residue = |it: &(f64, f64)| (it.1 - mean - slope * (it.0 - middle)).powi(2);
        let rest: f64 = points.iter().map(residue).sum();
        let error = (rest / (count - 2.0) / spread).sqrt();
        Self { points: points.len(), mean, slope, error }
    }

    /// Half the width of the slope's 95 % interval.
    pub(crate) fn half_width(&self) -> f64 {
        t_95(self.points.saturating_sub(2)) * self.error
    }

    /// Whether values that are observed for a while say nothing against a constant, or grow so
    /// slowly that they gain less than `bound` in `span`.
    pub(crate) fn is_flat(&self, span: f64, bound: f64) -> bool {
        let lowest = self.slope - self.half_width();
        lowest <= 0.0 || self.slope * span <= bound
    }
}

/// The means of consecutive points: a sample resembles the one before it, which would make the
/// error of a slope through all of them too small.
pub(crate) fn block_means(points: &[(f64, f64)], size: usize) -> Vec<(f64, f64)> {
    let mean = |block: &[(f64, f64)]| {
        let count = block.len() as f64;
        let sum = block.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (sum.0 / count, sum.1 / count)
    };
    points.chunks_exact(size.max(1)).map(mean).collect()
}

/// The lowest of consecutive points, at the time of their middle: what a busy moment adds goes away
/// again, and what leaks does not.
pub(crate) fn block_lowest(points: &[(f64, f64)], size: usize) -> Vec<(f64, f64)> {
    let blocks = points.chunks_exact(size.max(1)).zip(block_means(points, size));
    let lowest = |block: &[(f64, f64)]| block.iter().map(|it| it.1).fold(f64::INFINITY, f64::min);
    blocks.map(|(block, (middle, _))| (middle, lowest(block))).collect()
}

/// The 97.5 % quantile of Student's distribution: the first terms of its expansion in the
/// reciprocal of the degrees of freedom, exact to a thousandth from three degrees on.
fn t_95(degrees: usize) -> f64 {
    const TERMS: [f64; 5] = [1.959_964, 2.372_271, 2.822_502, 2.555_853, 1.589_536];
    if degrees == 0 {
        return f64::INFINITY;
    }
    let reciprocal = 1.0 / degrees as f64;
    TERMS.iter().rev().fold(0.0, |sum, term| sum * reciprocal + term)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Trend {
        let points: Vec<_> = values.iter().enumerate().map(|(at, it)| (at as f64, *it)).collect();
        Trend::through(&points)
    }

    #[test]
    fn a_line_has_the_slope_of_its_values_and_no_error() {
        let trend = line(&[1.0, 3.0, 5.0, 7.0]);
        assert!((trend.slope - 2.0).abs() < 1e-9 && trend.error < 1e-9, "{trend:?}");
        assert!(!trend.is_flat(10.0, 19.0) && trend.is_flat(10.0, 21.0), "{trend:?}");
    }

    #[test]
    fn values_that_go_up_and_down_are_flat() {
        let trend = line(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
        assert!(trend.is_flat(1_000.0, 0.0), "{trend:?}");
    }

    #[test]
    fn a_growth_within_the_noise_becomes_visible_with_more_values() {
        let noisy = |count: u32| {
            let value =
                |at: u32| f64::from(at) * 0.1 + if at.is_multiple_of(2) { 2.0 } else { 0.0 };
            line(&(0..count).map(value).collect::<Vec<_>>())
        };
        assert!(noisy(8).is_flat(1_000.0, 1.0), "{:?}", noisy(8));
        assert!(!noisy(200).is_flat(1_000.0, 1.0), "{:?}", noisy(200));
    }

    #[test]
    fn values_that_fall_are_flat() {
        assert!(line(&[9.0, 8.0, 7.5, 6.0]).is_flat(24.0, 0.0));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, expected) in
            [(3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1_000, 1.962)]
        {
            let actual = t_95(degrees);
            assert!((actual - expected).abs() < 0.01, "{degrees}: {actual}");
        }
    }

    #[test]
    fn a_block_has_the_mean_or_the_lowest_of_its_points_and_an_incomplete_one_is_left_out() {
        let points = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 100.0)];
        assert_eq!(block_means(&points, 2), [(0.5, 2.0), (2.5, 6.0)]);
        assert_eq!(block_lowest(&points, 2), [(0.5, 1.0), (2.5, 5.0)]);
    }
}
