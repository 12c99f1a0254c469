//! What an import did, for people and for programs.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::model::{Finding, Kind};

/// Records of one kind that are listed for people.
const LISTED: usize = 20;

/// Changes that the report lists. There can be very many messages.
const MAX_CHANGES: usize = 100_000;

const INFALLIBLE: &str = "writing to a string cannot fail";

/// What happened to one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    /// These fields were changed.
    Updated(Vec<String>),
    Unchanged,
    /// The target refused it.
    Failed(String),
}

/// Numbers of records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
}

/// A record that was created, updated or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    kind: Kind,
    record: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What an import did, or would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    source: String,
    target: String,
    dry_run: bool,
    /// Whether everything was looked at; false if an error ended the import.
    complete: bool,
    totals: BTreeMap<Kind, Counts>,
    /// Messages that are older than the server keeps them.
    expired_messages: u64,
    /// At most [`MAX_CHANGES`].
    changes: Vec<Change>,
    hidden: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(source: String, target: String, dry_run: bool) -> Self {
        let totals = Kind::ALL.map(|kind| (kind, Counts::default())).into();
        let (changes, hidden) = (Vec::new(), Vec::new());
        let (complete, expired_messages) = (false, 0);
        Self { source, target, dry_run, complete, totals, expired_messages, changes, hidden }
    }

    pub(crate) fn add(&mut self, kind: Kind, record: impl Into<String>, outcome: Outcome) {
        let counts = self.totals.entry(kind).or_default();
        let (action, fields, error) = match outcome {
            Outcome::Created => ("created", Vec::new(), None),
            Outcome::Updated(fields) => ("updated", fields, None),
            Outcome::Unchanged => {
                counts.unchanged += 1;
                return;
            },
            Outcome::Failed(error) => ("failed", Vec::new(), Some(error)),
        };
        match action {
            "created" => counts.created += 1,
            "updated" => counts.updated += 1,
            _ => counts.failed += 1,
        }
        if self.changes.len() >= MAX_CHANGES {
            return;
        }
        self.changes.push(Change { kind, record: record.into(), action, fields, error });
    }

    /// Adds numbers of messages.
    pub(crate) fn add_messages(&mut self, created: u64, existing: u64) {
        let counts = self.totals.entry(Kind::Message).or_default();
        counts.created += created;
        counts.unchanged += existing;
    }

    /// Adds a message that is older than the server keeps messages.
    pub(crate) fn add_expired(&mut self) {
        self.expired_messages += 1;
    }

    /// The number of messages that were looked at.
    pub(crate) fn messages(&self) -> u64 {
        let counts = self.totals.get(&Kind::Message).copied().unwrap_or_default();
        counts.created + counts.unchanged + counts.failed + self.expired_messages
    }

    pub(crate) fn hide(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.hidden.extend(findings);
    }

    pub(crate) fn finish(&mut self) {
        self.complete = true;
    }

    /// Whether the target refused something.
    pub(crate) fn has_failures(&self) -> bool {
        self.totals.values().any(|it| it.failed > 0)
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let headings = if self.dry_run {
            ["to create", "to update", "unchanged", "failed"]
        } else {
            ["created", "updated", "unchanged", "failed"]
        };
        let [created, updated, unchanged, failed] = headings;
        writeln!(text, "{:<24}{created:>11}{updated:>11}{unchanged:>11}{failed:>11}", "")
            .expect(INFALLIBLE);
        for (kind, counts) in &self.totals {
            let Counts { created, updated, unchanged, failed } = counts;
            let name = kind.plural();
            writeln!(text, "{name:<24}{created:>11}{updated:>11}{unchanged:>11}{failed:>11}")
                .expect(INFALLIBLE);
        }
        if self.expired_messages > 0 {
            let count = self.expired_messages;
            writeln!(text, "\n{count} messages are older than `payload_retention` of the server.")
                .expect(INFALLIBLE);
        }
        self.list_failures(&mut text);
        self.list_hidden(&mut text);
        text
    }

    fn list_failures(&self, text: &mut String) {
        let failed: Vec<_> = self.changes.iter().filter(|it| it.error.is_some()).collect();
        if failed.is_empty() {
            return;
        }
        text.push_str("\nFailed:\n");
        for change in failed.iter().take(LISTED) {
            let error = change.error.as_deref().unwrap_or_default();
            writeln!(text, "  {}: {error}", change.record).expect(INFALLIBLE);
        }
        more(text, failed.len());
    }

    fn list_hidden(&self, text: &mut String) {
        if self.hidden.is_empty() {
            return;
        }
        text.push_str("\nTo do by hand:\n");
        for Finding { record, detail, .. } in self.hidden.iter().take(LISTED) {
            writeln!(text, "  {record}: {detail}").expect(INFALLIBLE);
        }
        more(text, self.hidden.len());
    }
}

fn more(text: &mut String, count: usize) {
    if count > LISTED {
        let rest = count - LISTED;
        writeln!(text, "  and {rest} more, which --report lists").expect(INFALLIBLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_counts_and_lists() {
        let mut report = Report::new("a".to_owned(), "b".to_owned(), false);
        report.add(Kind::Endpoint, "acme/one", Outcome::Created);
        report.add(Kind::Endpoint, "acme/two", Outcome::Unchanged);
        assert!(!report.has_failures());
        for number in 0..21 {
            let refused = Outcome::Failed("no".to_owned());
            report.add(Kind::Endpoint, format!("acme/bad{number}"), refused);
        }
        report.add_messages(7, 2);
        report.hide([Finding::new(Kind::Endpoint, "acme/one", "set its header")]);
        assert!(report.has_failures());
        assert_eq!(report.messages(), 9);
        let text = report.text();
        assert!(text.contains("acme/bad19: no\n  and 1 more"), "{text}");
        assert!(text.contains("To do by hand:\n  acme/one: set its header"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["totals"]["endpoint"]["created"], 1);
        assert_eq!(json["totals"]["endpoint"]["failed"], 21);
        assert_eq!(json["changes"][0]["record"], "acme/one");
    }
}
