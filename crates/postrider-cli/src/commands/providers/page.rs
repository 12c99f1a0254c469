//! The reference page of all providers, docs/providers.md.

use postrider::provider::{self, Provider};

use super::describe::{Row, details};

/// The reference page in Markdown.
pub(super) fn reference() -> String {
    let all = provider::all();
    let rows: String = all.iter().map(row).collect();
    let sections: String = all.iter().map(section).collect();
    format!("{}{rows}{sections}", INTRODUCTION.replace("{count}", &all.len().to_string()))
}

fn row(provider: &Provider) -> String {
    let [id, scheme, signature, event_type, event_id, handshake] = Row::of(provider).cells();
    let code = |text: String| if text == "-" { String::new() } else { format!("`{text}`") };
    let handshake = if handshake == "-" { String::new() } else { handshake };
    format!(
        "| [{id}](#{id}) | {scheme} | {} | {} | {} | {handshake} |\n",
        code(signature),
        code(event_type),
        code(event_id),
    )
}

fn section(provider: &Provider) -> String {
    let items: String =
        details(provider).into_iter().map(|(label, text)| item(&label, &text)).collect();
    format!("\n## {}\n\n{}\n\n{items}", provider.id, provider.name)
}

fn item(label: &str, text: &str) -> String {
    let indent = if label.starts_with(' ') { "  " } else { "" };
    let label = label.trim();
    if label == "documentation" {
        return format!("{indent}- {label}: <{text}>\n");
    }
    if text.contains('\n') {
        let lines: Vec<_> = text.lines().map(escaped).collect();
        let separator = format!("\n{indent}  - ");
        return format!("{indent}- {label}:{separator}{}\n", lines.join(&separator));
    }
    format!("{indent}- {label}: {}\n", escaped(text))
}

/// Escapes Markdown.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let is_special = ['*', '_', '<', '>', '[', ']', '|'].contains(&character);
            is_special.then_some('\\').into_iter().chain([character])
        })
        .collect()
}

const INTRODUCTION: &str = "\
# Providers

Postrider verifies the webhooks of {count} providers, and of any other provider that you describe with a [model](models.md).
`postrider providers` prints this list, `postrider providers NAME` describes one provider, and `postrider providers --reference` prints this page.

A place in a request is written `header:NAME`, `query:NAME`, `form:NAME` or `json:PATH`; `field:NAME` is a field of the signature header.
Response timeouts and retry schedules are hints, because providers change them.

| provider | signs with | signature | event type | event id | handshake |
|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_up_to_date() {
        let page = include_str!("../../../../../docs/providers.md");
        assert!(
            page == reference(),
            "run `cargo run -- providers --reference > docs/providers.md`"
        );
    }
}
