//! Values of headers, as text with placeholders.

use std::{fmt, str::FromStr};

use super::super::text;

/// The value of a header that every request has, such as `{event_type}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Id,
    EventType,
    Timestamp,
    TimestampMs,
    TimestampRfc3339,
}

const NAMES: [(&str, Placeholder); 5] = [
    ("id", Placeholder::Id),
    ("event_type", Placeholder::EventType),
    ("timestamp", Placeholder::Timestamp),
    ("timestamp_ms", Placeholder::TimestampMs),
    ("timestamp_rfc3339", Placeholder::TimestampRfc3339),
];

/// Most bytes of a template.
const MAX_TEXT: usize = 256;

/// The text is not the value of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// The text is too long.
    #[error("is longer than {MAX_TEXT} bytes")]
    TooLong,
    /// A header cannot have the character.
    #[error("has a character that headers cannot have")]
    Character,
    /// The name of a placeholder is unknown.
    #[error(
        "{{{0}}} is not known; known are id, event_type, timestamp, timestamp_ms and \
         timestamp_rfc3339"
    )]
    Unknown(String),
    /// A placeholder is not closed.
    #[error("a {{ has no matching }}")]
    Open,
}

/// The values of the placeholders.
#[derive(Clone, Copy)]
pub(super) struct TemplateValues<'a> {
    pub id: &'a str,
    pub event_type: &'a str,
    pub at_millis: u64,
}

impl HeaderTemplate {
    pub(super) fn render(&self, values: TemplateValues<'_>) -> String {
        self.parts.iter().map(|part| part.render(values)).collect()
    }
}

impl Part {
    fn render(&self, values: TemplateValues<'_>) -> String {
        let placeholder = match self {
            Self::Text(text) => return text.clone(),
            Self::Placeholder(placeholder) => placeholder,
        };
        match placeholder {
            Placeholder::Id => values.id.to_owned(),
            Placeholder::EventType => values.event_type.to_owned(),
            Placeholder::Timestamp => (values.at_millis / 1000).to_string(),
            Placeholder::TimestampMs => values.at_millis.to_string(),
            Placeholder::TimestampRfc3339 => rfc3339(values.at_millis / 1000),
        }
    }
}

/// The time in UTC, without fractions of a second.
pub(super) fn rfc3339(seconds: u64) -> String {
    let seconds = seconds.try_into().unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

impl FromStr for HeaderTemplate {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        if text.len() > MAX_TEXT {
            return Err(InvalidTemplate::TooLong);
        }
        if !is_plain(text) || text.trim() != text {
            return Err(InvalidTemplate::Character);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(InvalidTemplate::Open)?;
            let known = NAMES.iter().find(|(it, _)| *it == name);
            let (_, placeholder) =
                known.ok_or_else(|| InvalidTemplate::Unknown(name.to_owned()))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Placeholder(*placeholder));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self { parts })
    }
}

impl fmt::Display for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Placeholder(wanted) => {
                    let (name, _) = NAMES
                        .iter()
                        .find(|(_, placeholder)| placeholder == wanted)
                        .expect("every placeholder has a name");
                    write!(f, "{{{name}}}")?;
                },
            }
        }
        Ok(())
    }
}

text::as_text!(HeaderTemplate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_with_placeholders() {
        let values = TemplateValues { id: "ev_1", event_type: "a.b", at_millis: 1_700_000_000_999 };
        for (text, rendered) in [
            ("", ""),
            ("fixed", "fixed"),
            ("{id}", "ev_1"),
            ("{event_type}/{id}", "a.b/ev_1"),
            ("t={timestamp} {timestamp_ms}", "t=1700000000 1700000000999"),
            ("{timestamp_rfc3339}", "2023-11-14T22:13:20Z"),
        ] {
            let template: HeaderTemplate = text.parse().unwrap();
            assert_eq!(template.render(values), rendered);
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn what_no_header_can_have_is_refused() {
        for (text, error) in [
            ("{", InvalidTemplate::Open),
            ("{secret}", InvalidTemplate::Unknown("secret".to_owned())),
            ("a\nb", InvalidTemplate::Character),
            (" a", InvalidTemplate::Character),
            ("ü", InvalidTemplate::Character),
        ] {
            assert_eq!(text.parse::<HeaderTemplate>(), Err(error));
        }
        assert_eq!("x".repeat(257).parse::<HeaderTemplate>(), Err(InvalidTemplate::TooLong));
    }
}
