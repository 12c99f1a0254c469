//! What was measured, as a table for people and as JSON for programs.

use std::{collections::BTreeMap, fmt::Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Numbers by their names, which end in their units; in the order in which they are shown.
pub(crate) type Numbers = Vec<(String, f64)>;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Postrider's rate over the reference's, round by round.
    pub(crate) ratios: Vec<f64>,
    pub(crate) naive: Numbers,
    pub(crate) postrider: Numbers,
    pub(crate) scenarios: Vec<(String, Numbers)>,
}

/// A middle and the ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), most: at(values.len().saturating_sub(1)) }
    }
}

impl Report {
    pub(crate) fn json(&self) -> Value {
        let ratio = Spread::of(self.ratios.iter().copied());
        let words = |pairs: &[(&str, String)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect::<Map<_, _>>()
        };
        let numbers = |numbers: &Numbers| -> Map<_, _> {
            numbers.iter().map(|(name, value)| (name.clone(), json!(rounded(*value)))).collect()
        };
        let scenarios: Map<_, _> = self
            .scenarios
            .iter()
            .map(|(name, values)| (name.clone(), json!(numbers(values))))
            .collect();
        json!({
            "ratio": rounded(ratio.median),
            "ratio_range": [rounded(ratio.least), rounded(ratio.most)],
            "machine": words(&self.machine),
            "settings": words(&self.settings),
            "naive": numbers(&self.naive),
            "postrider": numbers(&self.postrider),
            "scenarios": scenarios,
        })
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |words: std::fmt::Arguments<'_>| {
            writeln!(text, "{words}").expect("a string takes every line");
        };
        for (name, value) in self.machine.iter().chain(&self.settings) {
            line(format_args!("{name:28} {value}"));
        }
        line(format_args!("\n{:36} {:>12} {:>12} {:>8}", "", "naive", "postrider", "b/a"));
        let naive: BTreeMap<_, _> = self.naive.iter().map(|(name, value)| (name, *value)).collect();
        for (name, value) in &self.postrider {
            let reference = naive.get(name).copied();
            let ratio = reference.filter(|reference| *reference > 0.0).map(|naive| value / naive);
            let show = |value: Option<f64>| value.map_or_else(String::new, shown);
            line(format_args!(
                "{name:36} {:>12} {:>12} {:>8}",
                show(reference),
                shown(*value),
                show(ratio)
            ));
        }
        let ratio = Spread::of(self.ratios.iter().copied());
        line(format_args!(
            "\nratio b/a, median of the rounds: {:.2} [{:.2}-{:.2}]",
            ratio.median, ratio.least, ratio.most
        ));
        for (name, numbers) in &self.scenarios {
            line(format_args!("\n{name}"));
            for (name, value) in numbers {
                line(format_args!("  {name:46} {:>12}", shown(*value)));
            }
        }
        text
    }
}

/// Three places are more than any of the numbers is good for.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn shown(value: f64) -> String {
    let places = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_median_and_the_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert!((Spread::of([1.0, 2.0]).median - 1.5).abs() < 1e-9);
    }

    #[test]
    fn the_json_has_the_ratio() {
        let report = Report { ratios: vec![0.5, 0.7, 0.6], ..Report::default() };
        assert_eq!(report.json()["ratio"], 0.6);
    }
}
