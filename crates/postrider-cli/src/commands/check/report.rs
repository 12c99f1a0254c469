//! What was found, for people and for machines.

use std::{fmt::Write, time::Duration};

use super::practice::Practice;

/// What trying one practice came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// What was seen.
    Passed(String),
    /// What was seen instead of what is expected.
    Failed(String),
    /// Why it could not be tried.
    Skipped(String),
}

/// One line of the report.
#[derive(Debug)]
pub(super) struct Entry {
    pub practice: &'static Practice,
    pub finding: Finding,
    pub time: Duration,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut tally = Self::default();
        for entry in entries {
            match entry.finding {
                Finding::Passed(_) => tally.passed += 1,
                Finding::Failed(_) => tally.failed += 1,
                Finding::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }
}

/// One finding as lines of text.
pub(super) fn text(entry: &Entry) -> String {
    let Practice { name, rule, mend, trial: _ } = entry.practice;
    let (word, seen) = match &entry.finding {
        Finding::Passed(seen) => ("pass", seen),
        Finding::Failed(seen) => ("FAIL", seen),
        Finding::Skipped(why) => ("skip", why),
    };
    let mut text = format!("{word}  {name:<13}{rule}: {seen}\n");
    if matches!(entry.finding, Finding::Failed(_)) {
        writeln!(text, "      {:<13}{mend}", "to mend:").expect("a string takes every write");
    }
    text
}

/// The sum of it.
pub(super) fn summary(tally: Tally) -> String {
    let Tally { passed, failed, skipped } = tally;
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

/// The findings as `JUnit` writes them down.
pub(super) fn junit(suite: &str, entries: &[Entry]) -> String {
    let Tally { passed, failed, skipped } = Tally::of(entries);
    let counts = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{}\"",
        passed + failed + skipped,
        seconds(entries.iter().map(|it| it.time).sum()),
    );
    let suite = escaped(suite);
    let cases: String = entries.iter().map(|it| case(&suite, it)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"postrider check\" {counts}>\n\
         \x20 <testsuite name=\"{suite}\" {counts}>\n{cases}\
         \x20 </testsuite>\n</testsuites>\n"
    )
}

fn case(suite: &str, entry: &Entry) -> String {
    let Practice { name, rule, mend, trial: _ } = entry.practice;
    let time = seconds(entry.time);
    let head = format!(
        "    <testcase classname=\"{suite}\" name=\"{name}: {}\" time=\"{time}\"",
        escaped(rule)
    );
    match &entry.finding {
        Finding::Passed(seen) => {
            format!("{head}>\n      <system-out>{}</system-out>\n    </testcase>\n", escaped(seen))
        },
        Finding::Failed(seen) => format!(
            "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
            escaped(seen),
            escaped(mend)
        ),
        Finding::Skipped(why) => {
            format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(why))
        },
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// The text without what means something in XML, or must not stand in it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            it if it.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&it) => escaped.push(' '),
            it => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::practice::ALL;

    fn entry(index: usize, finding: Finding) -> Entry {
        Entry { practice: &ALL[index], finding, time: Duration::from_millis(12) }
    }

    #[test]
    fn a_failure_says_what_to_mend() {
        let seen = Finding::Failed("answered 200, expected 4xx".to_owned());
        let text = text(&entry(1, seen));
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!(
            first,
            "FAIL  tampered     an event whose body was changed is refused: answered 200, \
             expected 4xx"
        );
        assert!(second.starts_with("      to mend:     verify the signature over"), "{second}");
    }

    #[test]
    fn what_a_receiver_says_does_not_break_the_xml() {
        let seen = Finding::Failed("answered \"<b>\u{1b}&\u{0}\"".to_owned());
        let entries = [
            entry(0, Finding::Passed("200".to_owned())),
            entry(1, seen),
            entry(2, Finding::Skipped("it is not signed".to_owned())),
        ];
        let xml = junit("stripe", &entries);
        assert!(xml.contains("message=\"answered &quot;&lt;b&gt; &amp; &quot;\""), "{xml}");
        assert!(
            xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"0.036\""),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"it is not signed\"/>"), "{xml}");
    }
}
