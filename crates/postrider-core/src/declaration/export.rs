//! Exported records as files: references in place of secrets, endpoints within what they belong
//! to, and YAML.

use std::collections::BTreeMap;

use postrider::api::declaration::DeclaredKind;
use serde_json::{Map, Value};

use crate::kind::MASK;

/// Replaces masks with references to variables of the environment, whose names come from the
/// record.
#[derive(Debug, Default)]
pub struct References {
    /// How often a name was used.
    names: BTreeMap<String, usize>,
}

impl References {
    /// The record with references.
    pub fn replace(
        &mut self,
        kind: DeclaredKind,
        record: Map<String, Value>,
    ) -> Map<String, Value> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let parent =
            text("application").or(text("source")).filter(|_| kind == DeclaredKind::Endpoint);
        let own = text("uid").or(text("name")).unwrap_or_default();
        let path: Vec<String> = parent.into_iter().chain([own]).map(str::to_owned).collect();
        match self.value(&path, Value::Object(record)) {
            Value::Object(record) => record,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                unreachable!("an object stays one")
            },
        }
    }

    fn value(&mut self, path: &[String], value: Value) -> Value {
        let within = |name: &str| path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
        match value {
            Value::String(text) if text == MASK => {
                Value::Object(Map::from_iter([("env".to_owned(), self.name(path).into())]))
            },
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(
                    items.map(|(index, it)| self.value(&within(&index.to_string()), it)).collect(),
                )
            },
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, it)| {
                    let path = within(&name);
                    (name, self.value(&path, it))
                });
                Value::Object(fields.collect())
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn name(&mut self, path: &[String]) -> String {
        let mark =
            |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
        let parts: Vec<String> = path.iter().map(|it| it.chars().map(mark).collect()).collect();
        let name = format!("POSTRIDER_{}", parts.join("_"));
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{count}") }
    }
}

/// Moves endpoints into the applications or sources that they belong to. Those whose owner is not
/// in the lists stay.
pub fn nest(lists: &mut BTreeMap<DeclaredKind, Vec<Map<String, Value>>>) {
    let endpoints = lists.remove(&DeclaredKind::Endpoint).unwrap_or_default();
    let mut rest = Vec::new();
    for mut endpoint in endpoints {
        let owner = [("application", DeclaredKind::Application), ("source", DeclaredKind::Source)];
        let owner = owner
            .into_iter()
            .find_map(|(field, kind)| Some((field, kind, endpoint.get(field)?.clone())));
        let found = owner.as_ref().and_then(|(_, kind, uid)| {
            lists.get_mut(kind)?.iter_mut().find(|it| it.get("uid") == Some(uid))
        });
        match (found, owner) {
            (Some(found), Some((field, ..))) => {
                endpoint.remove(field);
                let list = found
                    .entry(DeclaredKind::Endpoint.list())
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(Value::Object(endpoint));
                }
            },
            _ => rest.push(endpoint),
        }
    }
    if !rest.is_empty() {
        lists.insert(DeclaredKind::Endpoint, rest);
    }
}

/// The value as YAML.
pub fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write_block(value, 0, &mut text);
    text
}

/// Writes a value that begins on a line of its own.
fn write_block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in in_order(fields) {
                push_indent(indent, text);
                text.push_str(&scalar_text(name));
                text.push(':');
                write_after_key(value, indent, text);
            }
        },
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                push_indent(indent, text);
                text.push('-');
                write_after_dash(item, indent, text);
            }
        },
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => {
            push_indent(indent, text);
            text.push_str(&scalar(other));
            text.push('\n');
        },
    }
}

/// The fields with those that say which record it is at the beginning, and its endpoints at the
/// end.
fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 7] = ["uid", "name", "application", "source", "type", "kind", "url"];
    let rank = |name: &str| match FIRST.iter().position(|it| *it == name) {
        Some(position) => position,
        None if name == DeclaredKind::Endpoint.list() => FIRST.len() + 1,
        None => FIRST.len(),
    };
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    fields
}

fn write_after_key(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            write_block(value, indent + 2, text);
        },
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write_block(value, indent + 2, text);
        },
        Value::String(lines) if is_literal(lines) => write_literal(lines, indent + 2, text),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => {
            text.push(' ');
            text.push_str(&scalar(other));
            text.push('\n');
        },
    }
}

fn write_after_dash(item: &Value, indent: usize, text: &mut String) {
    match item {
        Value::Object(fields) if !fields.is_empty() => {
            // The first field follows the dash; the others are below it.
            let mut block = String::new();
            write_block(item, indent + 2, &mut block);
            text.push(' ');
            text.push_str(block.trim_start_matches(' '));
        },
        Value::String(lines) if is_literal(lines) => write_literal(lines, indent + 2, text),
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            write_block(item, indent + 2, text);
        },
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => {
            text.push(' ');
            text.push_str(&scalar(other));
            text.push('\n');
        },
    }
}

/// Whether a text of several lines can be written as it is.
fn is_literal(text: &str) -> bool {
    let is_plain = |it: char| {
        it == '\n'
            || !it.is_control()
                && it != '\u{feff}'
                && !('\u{2028}'..='\u{2029}').contains(&it)
                && it != '\u{85}'
    };
    let starts_well = !text.starts_with([' ', '\n']);
    text.trim_end_matches('\n').contains('\n') && starts_well && text.chars().all(is_plain)
}

fn write_literal(lines: &str, indent: usize, text: &mut String) {
    let ends = lines.chars().rev().take_while(|it| *it == '\n').count();
    text.push_str(match ends {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in lines.strip_suffix('\n').unwrap_or(lines).split('\n') {
        if !line.is_empty() {
            push_indent(indent, text);
            text.push_str(line);
        }
        text.push('\n');
    }
}

fn push_indent(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => scalar_text(text),
        // Also empty lists and objects, which are the same in YAML.
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => other.to_string(),
    }
}

/// The text without quotes, if YAML cannot take it for anything else.
fn scalar_text(text: &str) -> String {
    let is_start = |it: char| it.is_ascii_alphabetic() || it == '_' || it == '/';
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_-./ ".contains(it);
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    let is_part = |it: char| is_part(it) || (is_url && ":?=&%".contains(it));
    let is_plain = text.starts_with(is_start)
        && text.chars().all(is_part)
        && !text.ends_with([' ', ':'])
        && !is_word(text);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// Words that YAML 1.1 or 1.2 takes for other types.
fn is_word(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    words.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    // JSON leaves these as they are, and YAML would take them for line breaks or refuse them.
    let is_special = |it: char| {
        !it.is_ascii()
            && (it.is_control()
                || matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
            || it == '\u{7f}'
    };
    if !json.contains(is_special) {
        return json;
    }
    json.chars()
        .map(|it| if is_special(it) { format!("\\u{:04x}", u32::from(it)) } else { it.to_string() })
        .collect()
}
