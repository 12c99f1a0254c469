//! What was measured, as a table for people and as JSON for programs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Numbers by their names, which end in their units; in the order in which they are shown.
pub(crate) type Numbers = Vec<(String, f64)>;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) naive: Numbers,
    /// Postrider, once for each way in which it was run.
    pub(crate) columns: Vec<Column>,
    pub(crate) scenarios: Vec<(String, Numbers)>,
    /// Kinds of endpoints.
    pub(crate) kinds: Vec<Row>,
}

/// A row of a table, with numbers for some of its columns.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) numbers: Numbers,
}

/// The columns of the table of kinds.
const KIND_COLUMNS: [(&str, &str); 7] = [
    ("deliveries_per_second", "deliveries/s"),
    ("of_http", "of http"),
    ("cpu_us", "CPU us"),
    ("plain_per_second", "plain/s"),
    ("of_plain", "of plain"),
    ("plain_cpu_us", "plain CPU us"),
    ("waiting", "waiting"),
];

#[derive(Debug, Default)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its rate over the reference's, round by round.
    pub(crate) ratios: Vec<f64>,
    pub(crate) numbers: Numbers,
}

/// Names of the numbers that show whether writes are grouped.
pub(crate) const STATEMENTS: &str = "statements_per_message";
pub(crate) const COMMITS: &str = "commits_per_message";

/// Well under one.
const GROUPED: f64 = 0.25;

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
    /// The first column's ratio is the report's.
    pub(crate) fn json(&self) -> Value {
        let words = |pairs: &[(&str, String)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect::<Map<_, _>>()
        };
        let scenarios: Map<_, _> =
            self.scenarios.iter().map(|(name, values)| (name.clone(), object(values))).collect();
        let mut all = Map::new();
        if let Some(first) = self.columns.first() {
            let ratio = first.ratio();
            all.insert("ratio".to_owned(), json!(rounded(ratio.median)));
            all.insert(
                "ratio_range".to_owned(),
                json!([rounded(ratio.least), rounded(ratio.most)]),
            );
        }
        all.insert("machine".to_owned(), json!(words(&self.machine)));
        all.insert("settings".to_owned(), json!(words(&self.settings)));
        all.insert("naive".to_owned(), object(&self.naive));
        for column in &self.columns {
            all.insert(column.name.replace('-', "_"), object(&column.all()));
        }
        all.insert("scenarios".to_owned(), json!(scenarios));
        if !self.kinds.is_empty() {
            let kinds = self.kinds.iter().map(|row| (row.name.to_owned(), object(&row.numbers)));
            all.insert("kinds".to_owned(), Value::Object(kinds.collect()));
        }
        Value::Object(all)
    }

    pub(crate) fn table(&self) -> String {
        let mut lines: Vec<String> = self
            .machine
            .iter()
            .chain(&self.settings)
            .map(|(name, value)| format!("{name:28} {value}"))
            .collect();
        lines.push(String::new());
        lines.extend(self.compared());
        lines.push(String::new());
        for column in &self.columns {
            let Spread { median, least, most } = column.ratio();
            let name = &column.name;
            lines.push(format!(
                "{name}: ratio to naive, median of the rounds: {median:.2} [{least:.2}-{most:.2}]"
            ));
            lines.extend(column.grouping());
        }
        for (name, numbers) in &self.scenarios {
            lines.extend([String::new(), name.clone()]);
            let line = |(name, value): &(String, f64)| format!("  {name:46} {:>12}", shown(*value));
            lines.extend(numbers.iter().map(line));
        }
        lines.extend(self.kinds());
        lines.join("\n")
    }

    /// The table of kinds.
    fn kinds(&self) -> Vec<String> {
        if self.kinds.is_empty() {
            return Vec::new();
        }
        let titles = KIND_COLUMNS.map(|(_, title)| format!("{title:>13}")).concat();
        let mut lines = vec![String::new(), format!("{:12}{titles}", "kind")];
        for Row { name, numbers } in &self.kinds {
            let value = |column| find(numbers, column).map_or_else(|| "-".to_owned(), shown);
            let values = KIND_COLUMNS.map(|(column, _)| format!("{:>13}", value(column))).concat();
            lines.push(format!("{name:12}{values}"));
        }
        lines
    }

    /// The naive one and each column side by side, with the ratio behind each value.
    fn compared(&self) -> Vec<String> {
        let mut head = format!("{:40} {:>10}", "", "naive");
        for column in &self.columns {
            write!(head, " {:>18} {:>6}", column.name, "ratio").expect("a string takes it");
        }
        let mut lines = vec![head];
        for name in self.names() {
            let naive = find(&self.naive, name);
            let mut line = format!("{name:40} {:>10}", naive.map(shown).unwrap_or_default());
            for column in &self.columns {
                let value = find(&column.numbers, name);
                let reference = naive.filter(|naive| *naive > 0.0);
                let ratio = value.zip(reference).map(|(value, naive)| value / naive);
                let show = |value: Option<f64>| value.map(shown).unwrap_or_default();
                write!(line, " {:>18} {:>6}", show(value), show(ratio)).expect("a string takes it");
            }
            lines.push(line);
        }
        lines
    }

    /// The names of all numbers, in the order in which they are told first.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.columns.iter().flat_map(|column| &column.numbers) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

impl Column {
    fn ratio(&self) -> Spread {
        Spread::of(self.ratios.iter().copied())
    }

    /// The numbers with the ratio.
    fn all(&self) -> Numbers {
        let Spread { median, least, most } = self.ratio();
        let ratio = [("ratio", median), ("ratio_least", least), ("ratio_most", most)];
        let ratio = ratio.into_iter().map(|(name, value)| (name.to_owned(), value));
        ratio.chain(self.numbers.iter().cloned()).collect()
    }

    /// Whether its writes are grouped, if it writes to a database.
    fn grouping(&self) -> Option<String> {
        let statements = find(&self.numbers, STATEMENTS)?;
        let commits = find(&self.numbers, COMMITS)?;
        let verdict =
            if statements.max(commits) < GROUPED { "well under 1" } else { "NOT well under 1" };
        Some(format!(
            "{}: {statements:.3} statements and {commits:.3} commits per message at load: {verdict}",
            self.name
        ))
    }
}

fn find(numbers: &Numbers, name: &str) -> Option<f64> {
    numbers.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

fn object(numbers: &Numbers) -> Value {
    let rounded = |(name, value): &(String, f64)| (name.clone(), json!(rounded(*value)));
    Value::Object(numbers.iter().map(rounded).collect())
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

    fn column(name: &str, ratios: &[f64], statements: f64) -> Column {
        let numbers = vec![(STATEMENTS.to_owned(), statements), (COMMITS.to_owned(), 0.05)];
        Column { name: name.to_owned(), ratios: ratios.to_vec(), numbers }
    }

    #[test]
    fn the_json_has_the_first_ratio_and_those_of_all() {
        let columns = vec![
            column("postrider", &[0.5, 0.7, 0.6], 0.1),
            column("postgres-2-nodes", &[0.3], 0.1),
        ];
        let json = Report { columns, ..Report::default() }.json();
        assert_eq!(json["ratio"], 0.6);
        assert_eq!(json["postrider"]["ratio"], 0.6);
        assert_eq!(json["postgres_2_nodes"]["ratio"], 0.3);
    }

    #[test]
    fn the_table_says_whether_writes_are_grouped() {
        let columns = vec![column("postgres", &[0.4], 0.1), column("other", &[0.4], 0.9)];
        let table = Report { columns, ..Report::default() }.table();
        let of = |name: &str| table.lines().rfind(|line| line.starts_with(name)).unwrap();
        assert!(of("postgres").ends_with("at load: well under 1"), "{table}");
        assert!(of("other").ends_with("NOT well under 1"), "{table}");
    }
}
