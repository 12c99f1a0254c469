//! The report as text and in the XML format of `JUnit`.

use std::{fmt::Write, time::Duration};

use super::rules::Rule;

/// The result of testing one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// How the receiver behaved.
    Passed(String),
    /// How the receiver behaved, and what was expected instead.
    Failed(String),
    /// Why the rule could not be tested.
    Skipped(String),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub rule: &'static Rule,
    pub finding: Finding,
    pub duration: Duration,
}

/// Numbers of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut counts = Self::default();
        for entry in entries {
            match entry.finding {
                Finding::Passed(_) => counts.passed += 1,
                Finding::Failed(_) => counts.failed += 1,
                Finding::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }
}

/// A finding as one line of text, and a second one with the fix if it failed.
pub(super) fn text(entry: &Entry) -> String {
    let Rule { name, statement, fix, case: _ } = entry.rule;
    let (result, seen) = match &entry.finding {
        Finding::Passed(seen) => ("pass", seen),
        Finding::Failed(seen) => ("FAIL", seen),
        Finding::Skipped(reason) => ("skip", reason),
    };
    let mut text = format!("{result}  {name:<15}{statement}: {seen}\n");
    if matches!(entry.finding, Finding::Failed(_)) {
        writeln!(text, "      {:<15}{fix}", "fix:").expect("writing to a string cannot fail");
    }
    text
}

pub(super) fn summary(counts: Counts) -> String {
    let Counts { passed, failed, skipped } = counts;
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// The findings as `JUnit` XML.
pub(super) fn junit(suite: &str, entries: &[Entry]) -> String {
    let Counts { passed, failed, skipped } = Counts::of(entries);
    let attributes = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{}\"",
        passed + failed + skipped,
        seconds(entries.iter().map(|it| it.duration).sum()),
    );
    let suite = escaped(suite);
    let cases: String = entries.iter().map(|it| case(&suite, it)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"postrider check\" {attributes}>\n\
         \x20 <testsuite name=\"{suite}\" {attributes}>\n{cases}\
         \x20 </testsuite>\n</testsuites>\n"
    )
}

fn case(suite: &str, entry: &Entry) -> String {
    let Rule { name, statement, fix, case: _ } = entry.rule;
    let time = seconds(entry.duration);
    let head = format!(
        "    <testcase classname=\"{suite}\" name=\"{name}: {}\" time=\"{time}\"",
        escaped(statement)
    );
    match &entry.finding {
        Finding::Passed(seen) => {
            format!("{head}>\n      <system-out>{}</system-out>\n    </testcase>\n", escaped(seen))
        },
        Finding::Failed(seen) => format!(
            "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
            escaped(seen),
            escaped(fix)
        ),
        Finding::Skipped(reason) => {
            format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(reason))
        },
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// Escapes XML, and replaces characters that XML forbids by a space.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other if other.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&other) => {
                escaped.push(' ');
            },
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::rules::ALL;

    fn entry(index: usize, finding: Finding) -> Entry {
        Entry { rule: &ALL[index], finding, duration: Duration::from_millis(12) }
    }

    #[test]
    fn a_failure_says_how_to_fix_it() {
        let seen = Finding::Failed("responded with 200, expected 4xx".to_owned());
        let text = text(&entry(1, seen));
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!(
            first,
            "FAIL  tampered       an event with a changed body is rejected: responded with 200, \
             expected 4xx"
        );
        assert!(second.starts_with("      fix:           verify the signature over"), "{second}");
    }

    #[test]
    fn the_text_of_a_response_is_escaped_in_the_xml() {
        let seen = Finding::Failed("responded with \"<b>\u{1b}&\u{0}\"".to_owned());
        let entries = [
            entry(0, Finding::Passed("200".to_owned())),
            entry(1, seen),
            entry(2, Finding::Skipped("it is not signed".to_owned())),
        ];
        let xml = junit("stripe", &entries);
        assert!(xml.contains("message=\"responded with &quot;&lt;b&gt; &amp; &quot;\""), "{xml}");
        assert!(
            xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.036\""),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"it is not signed\"/>"), "{xml}");
    }
}
