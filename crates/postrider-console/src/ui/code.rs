//! Code and JSON.

use maud::{Markup, PreEscaped, html};

use super::text::{bytes, copy};

/// Longest text that is shown in a page; longer ones are downloads.
pub(crate) const MAX_SHOWN: usize = 256 << 10;

/// Lines of a text that are shown before it is unfolded.
const FOLDED_LINES: usize = 40;

/// A block of code with a button that copies it.
pub(crate) fn block(label: &str, text: &str) -> Markup {
    html! {
        figure.code-block {
            figcaption { span { (label) } (copy(text, &format!("Copy {label}"))) }
            pre tabindex="0" aria-label=(label) { code { (text) } }
        }
    }
}

/// JSON, indented and highlighted; other text as it is. Long texts are folded, and those that are
/// too long for a page become a link to `download`.
pub(crate) fn json(label: &str, text: &str, download: Option<&str>) -> Markup {
    if text.len() > MAX_SHOWN {
        return too_long(label, text.len(), download);
    }
    let pretty = serde_json::from_str::<serde_json::Value>(text).ok();
    let pretty = pretty.and_then(|_| indent(text));
    let shown = pretty.as_deref().unwrap_or(text);
    let lines = shown.lines().count();
    let code = if pretty.is_some() {
        highlight(shown)
    } else {
        html! { (shown) }
    };
    html! {
        figure.code-block {
            figcaption {
                span { (label) " · " (bytes(text.len() as u64)) }
                (copy(text, &format!("Copy {label}")))
            }
            @if lines > FOLDED_LINES {
                details.fold {
                    summary { "Show all " (lines) " lines" }
                    pre tabindex="0" aria-label=(label) { code { (code) } }
                }
            } @else {
                pre tabindex="0" aria-label=(label) { code { (code) } }
            }
        }
    }
}

/// An example in JSON, which is short and never folded.
pub(crate) fn example(label: &str, value: &serde_json::Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    html! {
        figure.code-block {
            figcaption { span { (label) } (copy(&text, &format!("Copy {label}"))) }
            pre tabindex="0" aria-label=(label) { code { (highlight(&text)) } }
        }
    }
}

fn too_long(label: &str, length: usize, download: Option<&str>) -> Markup {
    html! {
        figure.code-block {
            figcaption { span { (label) " · " (bytes(length as u64)) } }
            div.too-long {
                p { "It is too long to be shown." }
                @if let Some(download) = download {
                    a.button.secondary href=(download) download { "Download" }
                }
            }
        }
    }
}

/// The same JSON with line breaks and indentation; numbers and escapes stay as they are. None if
/// it would become too deep to read.
pub(crate) fn indent(text: &str) -> Option<String> {
    const MAX_DEPTH: usize = 64;
    let mut indented = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut previous = ' ';
    for mark in text.chars() {
        if in_string {
            indented.push(mark);
            in_string = is_escaped || mark != '"';
            is_escaped = !is_escaped && mark == '\\';
            previous = mark;
            continue;
        }
        if mark.is_whitespace() {
            continue;
        }
        let is_end = matches!(mark, '}' | ']');
        let is_empty = is_end && matches!(previous, '{' | '[');
        if is_end {
            depth = depth.saturating_sub(1);
        }
        if !is_empty && (is_end || matches!(previous, '{' | '[' | ',')) && previous != ' ' {
            indented.push('\n');
            indented.extend(std::iter::repeat_n("  ", depth));
        }
        indented.push(mark);
        match mark {
            '{' | '[' => depth += 1,
            ':' => indented.push(' '),
            '"' => in_string = true,
            _ => {},
        }
        if depth > MAX_DEPTH {
            return None;
        }
        previous = mark;
    }
    Some(indented)
}

/// Indented JSON with elements around keys, texts, numbers and words.
fn highlight(text: &str) -> Markup {
    let mut html = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' | 'a'..='z' => rest
                .find(|mark: char| !mark.is_ascii_alphanumeric() && !"+-.".contains(mark))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let class = match first {
            '"' if after.starts_with(':') => "key",
            '"' => "string",
            '-' | '0'..='9' => "num",
            'a'..='z' => "word",
            _ => "",
        };
        if class.is_empty() {
            escape(token, &mut html);
        } else {
            html.push_str("<span class=\"j-");
            html.push_str(class);
            html.push_str("\">");
            escape(token, &mut html);
            html.push_str("</span>");
        }
        rest = after;
    }
    PreEscaped(html)
}

/// The length of the string that a text begins with, including its quotes.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, mark) in text.char_indices().skip(1) {
        if mark == '"' && !is_escaped {
            return index + 1;
        }
        is_escaped = !is_escaped && mark == '\\';
    }
    text.len()
}

fn escape(text: &str, html: &mut String) {
    for mark in text.chars() {
        match mark {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            _ => html.push(mark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_without_changing_its_values() {
        let text = r#"{"a":[1.50,{}, []],"b\"{":"x,\\","c":null}"#;
        let indented = indent(text).unwrap();
        let expected = "{\n  \"a\": [\n    1.50,\n    {},\n    []\n  ],\n  \"b\\\"{\": \"x,\\\\\",\n  \"c\": null\n}";
        assert_eq!(indented, expected);
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(text), parse(&indented));
    }

    #[test]
    fn highlighted_text_is_escaped() {
        let html = highlight("{\"<b>\": \"</script>&\", \"n\": -1}").into_string();
        assert!(!html.contains("<b>") && !html.contains("</script>"), "{html}");
        assert!(html.contains("<span class=\"j-key\">&quot;&lt;b&gt;&quot;</span>"), "{html}");
        assert!(html.contains("<span class=\"j-num\">-1</span>"), "{html}");
    }
}
