//! Descriptions, which are Markdown.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html::push_html};

/// A description. HTML in it is shown as text.
pub(super) fn block(text: &str) -> Markup {
    render(text, |_| true)
}

/// A description that is part of a line: its paragraphs are joined.
pub(crate) fn inline(text: &str) -> Markup {
    render(text, |event| {
        !matches!(event, Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph))
    })
}

/// A text that people of the organization wrote. It has no images, and links only to web pages.
pub(crate) fn untrusted(text: &str) -> Markup {
    let mut is_link_dropped = false;
    let is_kept = |event: &Event<'_>| keeps(event, &mut is_link_dropped);
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(escaped).filter(is_kept);
    let mut html = String::with_capacity(text.len() * 2);
    push_html(&mut html, events);
    PreEscaped(html)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; everything else contains text or nothing"
)]
fn keeps(event: &Event<'_>, is_link_dropped: &mut bool) -> bool {
    match event {
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => false,
        Event::Start(Tag::Link { dest_url, .. }) => {
            let is_web = dest_url.starts_with("https://") || dest_url.starts_with("http://");
            *is_link_dropped = !is_web;
            is_web
        },
        Event::End(TagEnd::Link) => !*is_link_dropped,
        _ => true,
    }
}

fn render(text: &str, is_kept: fn(&Event<'_>) -> bool) -> Markup {
    let text = without_code_links(text);
    let events = Parser::new_ext(&text, Options::ENABLE_TABLES).map(escaped).filter(is_kept);
    let mut html = String::with_capacity(text.len() * 2);
    push_html(&mut html, events);
    PreEscaped(html)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; everything else stays as it is"
)]
fn escaped(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    }
}

/// The same text without links to types of the source code, such as ``[`Name`]``.
fn without_code_links(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, opened)) = rest.split_once("[`") {
        let Some((code, after)) = opened.split_once("`]") else { break };
        plain.push_str(before);
        if after.starts_with('(') {
            plain.extend(["[`", code, "`]"]);
        } else {
            plain.extend(["`", code, "`"]);
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html_and_html_becomes_text() {
        let cases = [
            ("Of `uid`.", "Of <code>uid</code>."),
            ("See [`MessageOut::payload`].", "See <code>MessageOut::payload</code>."),
            (
                "See [`a`](https://x.y/) & [`b`]",
                "See <a href=\"https://x.y/\"><code>a</code></a> &amp; <code>b</code>",
            ),
            (
                "`{code, detail}` <script>x</script>",
                "<code>{code, detail}</code> &lt;script&gt;x&lt;/script&gt;",
            ),
            ("An [`unclosed", "An [`unclosed"),
        ];
        for (text, html) in cases {
            assert_eq!(inline(text).into_string(), html, "{text}");
        }
        let text = "[a](https://x.y/) [b](javascript:c) ![d](https://x.y/e)";
        let html = "<p><a href=\"https://x.y/\">a</a> b d</p>\n";
        assert_eq!(untrusted(text).into_string(), html);
        assert_eq!(block("a\n\nb").into_string(), "<p>a</p>\n<p>b</p>\n");
    }
}
