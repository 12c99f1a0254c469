//! Shows what a declaration changes.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
};

use postrider::api::declaration::{ApplyOut, FieldChangeOut, RecordAction, RecordChangeOut};
use postrider_core::declaration::files::Declared;
use serde_json::Value;

use crate::output;

/// Most characters of a value on one line.
const MAX_VALUE: usize = 120;

/// Colors of a terminal.
#[derive(Clone, Copy)]
struct Colors(bool);

impl Colors {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Prints the changes. As JSON, only a check prints them: otherwise the result follows.
pub(super) fn print(planned: &ApplyOut, as_json: bool, is_check: bool) -> anyhow::Result<()> {
    if as_json {
        if is_check || planned.changes.is_empty() {
            output::line(serde_json::to_string_pretty(planned)?)?;
        }
        return Ok(());
    }
    output::text(&text(planned, Colors(colors())))?;
    output::line(summary(planned))
}

/// Whether to write colors; `NO_COLOR` is the convention of <https://no-color.org>.
fn colors() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    io::stdout().is_terminal() && !is_off
}

fn text(planned: &ApplyOut, colors: Colors) -> String {
    let mut text = String::new();
    for change in &planned.changes {
        write_change(change, colors, &mut text);
    }
    text
}

fn write_change(change: &RecordChangeOut, colors: Colors, text: &mut String) {
    let (mark, color) = match change.action {
        RecordAction::Create => ("+", "32"),
        RecordAction::Update => ("~", "33"),
        RecordAction::Remove => ("-", "31"),
    };
    let line = format!("{mark} {} {}", change.kind, change.name);
    text.push_str(&colors.paint(color, &line));
    text.push('\n');
    for field in &change.fields {
        write_field(field, change.action, colors, text);
    }
}

fn write_field(it: &FieldChangeOut, action: RecordAction, colors: Colors, text: &mut String) {
    let FieldChangeOut { field, old, new, hidden } = it;
    let removed = |value: &Value| colors.paint("31", &shown(value));
    let added = |value: &Value| colors.paint("32", &shown(value));
    let values = match (old, new) {
        _ if *hidden && action == RecordAction::Create => "(secret)".to_owned(),
        _ if *hidden => "(secret, changed)".to_owned(),
        (Some(old), Some(new)) => format!("{} → {}", removed(old), added(new)),
        (Some(old), None) => format!("{} → (none)", removed(old)),
        (None, Some(new)) if action == RecordAction::Create => added(new),
        (None, Some(new)) => format!("(none) → {}", added(new)),
        (None, None) => "(none)".to_owned(),
    };
    writeln!(text, "    {field}: {values}").expect("a string can be written to");
}

/// The value on one line, shortened.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_VALUE) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// What will be done, or has been.
pub(super) fn summary(out: &ApplyOut) -> String {
    let count = |action| out.changes.iter().filter(|it| it.action == action).count();
    let (created, changed) = (count(RecordAction::Create), count(RecordAction::Update));
    let removed = count(RecordAction::Remove);
    let unchanged = out.unchanged;
    if out.changes.is_empty() {
        return format!("Nothing to do: {unchanged} unchanged.");
    }
    if out.applied {
        return format!(
            "Applied: {created} created, {changed} changed, {removed} removed, {unchanged} unchanged."
        );
    }
    format!(
        "Plan: {created} to create, {changed} to change, {removed} to remove, {unchanged} unchanged."
    )
}

/// A problem that the server found, with its place in the files.
pub(super) fn problem(declared: &Declared, loc: &[String], message: &str) -> String {
    let parts: Vec<&str> = loc.iter().map(String::as_str).collect();
    let ["body", "records", list, index, field @ ..] = parts.as_slice() else {
        return format!("{}: {message}", loc.join("."));
    };
    let path: Vec<String> = field.iter().map(|&it| it.to_owned()).collect();
    let place = index.parse().ok().and_then(|index| declared.place(list, index, &path));
    let field = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
    match place {
        Some((file, line)) => format!("{}:{line}: {field}{message}", file.display()),
        None => format!("{list}.{index}: {field}{message}"),
    }
}

#[cfg(test)]
mod tests {
    use postrider::api::declaration::DeclaredKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_shown_with_marks_and_without_secrets() {
        let field = |name: &str, old: Option<Value>, new: Option<Value>, hidden| FieldChangeOut {
            field: name.to_owned(),
            old,
            new,
            hidden,
        };
        let out = ApplyOut {
            applied: false,
            changes: vec![
                RecordChangeOut {
                    action: RecordAction::Update,
                    kind: DeclaredKind::Endpoint,
                    name: "acme/billing".to_owned(),
                    fields: vec![
                        field("rate", None, Some(json!(5)), false),
                        field("secret", None, None, true),
                        field("url", Some(json!("a")), Some(json!("b")), false),
                    ],
                },
                RecordChangeOut {
                    action: RecordAction::Remove,
                    kind: DeclaredKind::EventType,
                    name: "a.b".to_owned(),
                    fields: Vec::new(),
                },
            ],
            unchanged: 3,
            revision: String::new(),
        };
        let expected = "\
~ endpoint acme/billing
    rate: (none) → 5
    secret: (secret, changed)
    url: \"a\" → \"b\"
- event type a.b
";
        assert_eq!(text(&out, Colors(false)), expected);
        assert!(text(&out, Colors(true)).contains("\u{1b}[31m- event type a.b\u{1b}[0m"));
        assert_eq!(summary(&out), "Plan: 0 to create, 1 to change, 1 to remove, 3 unchanged.");
        let done = ApplyOut { applied: true, ..out };
        assert_eq!(summary(&done), "Applied: 0 created, 1 changed, 1 removed, 3 unchanged.");
    }
}
