//! Numbers, ids and links.

use maud::{Markup, html};

use super::icon::{Icon, icon};
use crate::context::Context;

/// A number with separators, such as `12,345`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number for narrow places, such as `12.3k`.
pub(crate) fn short(number: u64) -> String {
    let units = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| number >= *size) else {
        return number.to_string();
    };
    let tenths = number / (size / 10);
    if tenths >= 1_000 {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

/// A number with its noun, such as `1 attempt` or `2 attempts`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(count))
}

/// A text of the API as a sentence: with a capital letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let first = first.to_uppercase();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A number in a table.
pub(crate) fn count(value: u64) -> Markup {
    html! { span.number.zero[value == 0] { (number(value)) } }
}

/// A size in bytes, such as `1.2 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let Some((size, unit)) = units.into_iter().find(|(size, _)| bytes >= *size) else {
        return format!("{bytes} bytes");
    };
    let tenths = bytes / (size / 10);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// An id with a button that copies it.
pub(crate) fn id(text: &str) -> Markup {
    html! {
        span.id {
            code { (text) }
            (copy(text, &format!("Copy {text}")))
        }
    }
}

/// A button that copies a text. It appears if scripts run.
pub(crate) fn copy(text: &str, label: &str) -> Markup {
    html! {
        button.copy type="button" hidden data-copy=(text) aria-label=(label) title="Copy" {
            (icon(Icon::Copy))
        }
    }
}

/// Headers with one line for each.
pub(crate) fn headers(headers: &std::collections::BTreeMap<String, String>) -> String {
    headers.iter().map(|(name, value)| [name, ": ", value].concat()).collect::<Vec<_>>().join("\n")
}

/// A link to a page, whose path is without the prefix of the site.
pub(crate) fn link(context: &Context, path: &str, text: &str) -> Markup {
    html! { a href=(context.link(path)) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_units() {
        let cases = [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1.0k"),
            (12_345, "12,345", "12.3k"),
            (1_234_567, "1,234,567", "1.2M"),
            (123_456_789, "123,456,789", "123M"),
        ];
        for (value, long, brief) in cases {
            assert_eq!((number(value).as_str(), short(value).as_str()), (long, brief));
        }
        assert_eq!(plural(1, "attempt"), "1 attempt");
        assert_eq!(plural(2_000, "attempt"), "2,000 attempts");
        assert_eq!(bytes(1_234_567), "1.2 MB");
    }

    #[test]
    fn explanations_become_sentences() {
        let cases = [("", ""), ("wait", "Wait."), (" Done! ", "Done!"), ("a. b", "A. b.")];
        for (text, expected) in cases {
            assert_eq!(sentence(text), expected);
        }
    }
}
