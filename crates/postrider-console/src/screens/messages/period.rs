//! Periods in URLs: a preset such as `range=24h`, or the times `from` and `until`.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use maud::{Markup, html};

use crate::{query::Query, ui::Field};

/// The parameters of a period.
pub(crate) const NAMES: [&str; 3] = ["range", "from", "until"];

/// Presets: the value of the parameter, the label, and the hours before now.
const PRESETS: [(&str, &str, i64); 5] = [
    ("1h", "Last hour", 1),
    ("6h", "Last 6 hours", 6),
    ("24h", "Last 24 hours", 24),
    ("7d", "Last 7 days", 7 * 24),
    ("30d", "Last 30 days", 30 * 24),
];

/// A period; ends that are absent are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) after: Option<Timestamp>,
    pub(crate) before: Option<Timestamp>,
}

impl Period {
    /// The period of a URL. Times that were entered take precedence over a preset.
    pub(crate) fn read(query: &Query, now: Timestamp) -> Self {
        let preset = PRESETS.iter().find(|it| Some(it.0) == query.text("range"));
        let preset = preset.and_then(|it| now.checked_sub(SignedDuration::from_hours(it.2)).ok());
        Self {
            after: query.text("from").and_then(parse).or(preset),
            before: query.text("until").and_then(parse),
        }
    }

    /// The period in words, such as `accepted since Nov 27, 14:02 UTC`.
    pub(crate) fn words(self, verb: &str) -> Option<String> {
        let text = |at: Timestamp| at.strftime("%b %-d, %H:%M UTC").to_string();
        match (self.after, self.before) {
            (None, None) => None,
            (Some(after), None) => Some(format!("{verb} since {}", text(after))),
            (None, Some(before)) => Some(format!("{verb} before {}", text(before))),
            (Some(after), Some(before)) => {
                Some(format!("{verb} from {} to {}", text(after), text(before)))
            },
        }
    }
}

/// A time as RFC 3339, or as browsers send it, which is UTC here.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| Some(local()?.timestamp()))
}

/// The value of an input for a time.
pub(crate) fn input_value(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// The list of presets.
pub(crate) fn preset_field(query: &Query, any: &str) -> Markup {
    let mut options = vec![("", any)];
    options.extend(PRESETS.iter().map(|it| (it.0, it.1)));
    Field::new("range", "Time").value(query.text("range").unwrap_or_default()).select(&options)
}

/// The exact ends of the period.
pub(crate) fn exact_fields(query: &Query) -> Markup {
    html! {
        (exact(query, "from", "From (UTC)"))
        (exact(query, "until", "Until (UTC)"))
    }
}

fn exact(query: &Query, name: &str, label: &str) -> Markup {
    let text = query.text(name);
    let parsed = text.and_then(parse);
    let problem = text.filter(|_| parsed.is_none()).map(|_| "Enter a date and a time".to_owned());
    Field::new(name, label)
        .kind("datetime-local")
        .value(parsed.map(input_value).unwrap_or_default())
        .problem(problem)
        .line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_times_take_precedence_over_a_preset() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        for (query, after, before) in [
            ("", None, None),
            ("range=1h", at("2026-11-27T11:00:00Z"), None),
            ("range=nonsense", None, None),
            ("range=1h&from=2026-11-20T10:30", at("2026-11-20T10:30:00Z"), None),
            ("until=2026-11-20T10:30:05Z&from=x", None, at("2026-11-20T10:30:05Z")),
        ] {
            let found = Period::read(&Query::parse(Some(query)), now);
            assert_eq!(found, Period { after, before }, "{query}");
        }
    }

    #[test]
    fn periods_are_described() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let after = at("2026-11-27T11:00:00Z");
        let period = Period { after, before: None };
        assert_eq!(period.words("accepted").unwrap(), "accepted since Nov 27, 11:00 UTC");
        assert_eq!(Period::default().words("accepted"), None);
    }
}
