//! Renders responses as tables.

use std::{collections::BTreeMap, fmt::Write};

use serde::Deserialize;
use serde_json::value::RawValue;

type Fields<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<Fields<'a>>,
    done: Option<bool>,
    iterator: Option<String>,
}

/// A list becomes a table without its empty columns, an object one line per field.
pub(super) fn render(response: &RawValue, columns: &[&str]) -> String {
    let Ok(list) = serde_json::from_str::<List<'_>>(response.get()) else {
        return fields(response);
    };
    let List { data: rows, done, iterator } = list;
    if rows.is_empty() {
        return "no results\n".to_owned();
    }
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| rows.iter().any(|row| value(row, column).is_some()))
        .copied()
        .collect();
    let heads = columns.iter().map(|it| heading(it)).collect();
    let cells = |row: &Fields<'_>| columns.iter().map(|column| cell(value(row, column))).collect();
    let mut text =
        aligned(&std::iter::once(heads).chain(rows.iter().map(cells)).collect::<Vec<_>>());
    if let (Some(false), Some(iterator)) = (done, iterator) {
        line(&mut text, format_args!("more results: --iterator {iterator}"));
    }
    text
}

fn fields(response: &RawValue) -> String {
    let Ok(object) = serde_json::from_str::<Fields<'_>>(response.get()) else {
        return format!("{}\n", cell(Some(response)));
    };
    let rows = object.iter().map(|(name, value)| vec![name.clone(), cell(Some(*value))]);
    aligned(&rows.collect::<Vec<_>>())
}

/// The value of a column, unless it is null.
fn value<'a>(row: &Fields<'a>, column: &str) -> Option<&'a RawValue> {
    row.get(column).copied().filter(|it| it.get() != "null")
}

/// Pads all columns except the last one.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max()
    };
    let count = rows.first().map_or(0, Vec::len);
    let widths: Vec<_> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        line(&mut text, format_args!("{}", cells.join("  ").trim_end()));
    }
    text
}

fn cell(value: Option<&RawValue>) -> String {
    let Some(json) = value.map(RawValue::get).filter(|it| *it != "null") else {
        return "-".to_owned();
    };
    let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
    // Control characters in a receiver's response must not reach the terminal.
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// `responseStatusCode` as a column heading: `RESPONSE STATUS CODE`.
fn heading(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter == '_' {
            text.push(' ');
            continue;
        }
        if letter.is_uppercase() {
            text.push(' ');
        }
        text.extend(letter.to_uppercase());
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn render(response: &Value, columns: &[&str]) -> String {
        super::render(&serde_json::value::to_raw_value(response).unwrap(), columns)
    }

    #[test]
    fn a_list_becomes_aligned_rows_without_empty_columns() {
        let list = json!({
            "data": [
                { "id": "app_1", "name": "Acme", "uid": null },
                { "id": "app_22", "name": "B\u{1b}[31m", "uid": null },
            ],
            "iterator": "app_22",
            "done": false,
        });
        let expected = "ID      NAME\napp_1   Acme\napp_22  B [31m\n\
                        more results: --iterator app_22\n";
        assert_eq!(render(&list, &["id", "uid", "name"]), expected);
    }

    #[test]
    fn an_object_becomes_one_line_per_field() {
        let object = json!({ "id": "ep_1", "disabled": false, "filterTypes": ["a"], "uid": null });
        let expected =
            "disabled     false\nfilterTypes  [\"a\"]\nid           ep_1\nuid          -\n";
        assert_eq!(render(&object, &[]), expected);
    }

    #[test]
    fn numbers_are_shown_exactly_as_the_server_wrote_them() {
        let json = r#"{"payload": {"amount": 42.50}, "id": 12345678901234567890123456}"#;
        let expected = "id       12345678901234567890123456\npayload  {\"amount\": 42.50}\n";
        assert_eq!(super::render(serde_json::from_str(json).unwrap(), &[]), expected);
    }

    #[test]
    fn an_empty_list_says_that_there_are_no_results() {
        assert_eq!(render(&json!({ "data": [], "done": true }), &["id"]), "no results\n");
    }

    #[test]
    fn column_headings_are_words() {
        assert_eq!(heading("responseStatusCode"), "RESPONSE STATUS CODE");
        assert_eq!(heading("status_code"), "STATUS CODE");
    }
}
