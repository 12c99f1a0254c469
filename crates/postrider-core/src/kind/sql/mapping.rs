//! Which columns a row has, and what is in them.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    cell::{Cell, ColumnType},
    document::{Document, FIELDS},
    name::Name,
};
use crate::{
    kind::Problem,
    message::Message,
    path::{Path, Step},
};

/// Most columns of a mapping.
const MAX_COLUMNS: usize = 200;

/// Most characters of a value that an error shows.
const MAX_SHOWN: usize = 60;

/// A column as it is configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnConfig {
    pub name: Name,
    pub path: Path,
    #[serde(rename = "type", default = "text")]
    pub column_type: ColumnType,
    /// A message without a value is rejected.
    #[serde(default)]
    pub required: bool,
    /// In place of a missing value.
    pub default: Option<serde_json::Value>,
}

const fn text() -> ColumnType {
    ColumnType::Text
}

/// What happens if there is a row already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Nothing.
    #[default]
    Insert,
    /// It is updated.
    Upsert,
}

/// A column of a row.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: Name,
    pub path: Path,
    pub column_type: ColumnType,
    /// It must have a value.
    pub required: bool,
    /// In place of a missing value.
    pub default: Cell,
}

/// Which columns a row has, and what is in them. One column is the message's id.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub columns: Vec<Column>,
    /// The position of the column with the message's id.
    pub id: usize,
    /// Positions of the columns that are unique together.
    pub key: Vec<usize>,
    pub mode: Mode,
}

/// The parts of a configuration that a mapping is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappingConfig<'a> {
    pub(super) columns: Option<&'a [ColumnConfig]>,
    pub(super) mode: Mode,
    pub(super) key: Option<&'a [Name]>,
}

/// A row for one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// In the order of the mapping's columns.
    pub cells: Vec<Cell>,
}

impl Row {
    /// About as many bytes as it has in a statement.
    pub fn size(&self) -> usize {
        self.cells.iter().map(Cell::size).sum()
    }
}

/// Why a message has no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` cannot be filled: {reason}")]
pub struct Unfit {
    pub column: String,
    pub reason: String,
}

impl Mapping {
    pub(super) fn new(config: MappingConfig<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut columns: Vec<Column> = match config.columns {
            Some(columns) => configured(columns, &mut problems),
            None => whole_event(),
        };
        let id = if let Some(id) = columns.iter().position(is_id) {
            id
        } else {
            columns.insert(0, column("id", ColumnType::Text));
            0
        };
        columns[id].required = true;
        check_names(&columns, &mut problems);
        let key = key(&config, &columns, id, &mut problems);
        for position in &key {
            columns[*position].required = true;
        }
        if problems.is_empty() {
            Ok(Self { columns, id, key, mode: config.mode })
        } else {
            Err(problems)
        }
    }

    /// The row for a message with the body that is to be delivered.
    pub fn row(&self, message: &Message, body: &Bytes) -> Result<Row, Unfit> {
        let document = Document::new(message, body);
        let cells = self.columns.iter().map(|column| column.cell(&document));
        Ok(Row { cells: cells.collect::<Result<_, _>>()? })
    }

    /// Whether rows are unique by something other than the message's id.
    pub fn has_own_key(&self) -> bool {
        self.key != [self.id]
    }
}

impl Column {
    fn cell(&self, document: &Document<'_>) -> Result<Cell, Unfit> {
        let Some(json) = document.find(&self.path) else { return self.missing() };
        self.column_type.convert(&json).map_err(|wanted| {
            let shown = shown(json.get());
            self.unfit(format!("the value at `{}` is not {wanted}: {shown}", self.path))
        })
    }

    fn missing(&self) -> Result<Cell, Unfit> {
        if self.required && self.default == Cell::Null {
            return Err(self.unfit(format!("there is no value at `{}`", self.path)));
        }
        Ok(self.default.clone())
    }

    fn unfit(&self, reason: String) -> Unfit {
        Unfit { column: self.name.to_string(), reason }
    }
}

fn shown(json: &str) -> String {
    match json.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", json.get(..end).unwrap_or_default()),
        None => json.to_owned(),
    }
}

fn is_id(column: &Column) -> bool {
    column.path.steps() == [Step::Field("id".to_owned())]
}

/// A column with the name of its path.
fn column(path: &str, column_type: ColumnType) -> Column {
    Column {
        name: Name::parse(path).expect("a good name"),
        path: Path::parse(path).expect("a good path"),
        column_type,
        required: true,
        default: Cell::Null,
    }
}

/// The columns of a configuration without any.
fn whole_event() -> Vec<Column> {
    let event = Path::parse("$").expect("a good path");
    vec![
        column("id", ColumnType::Text),
        column("type", ColumnType::Text),
        column("timestamp", ColumnType::Timestamp),
        Column { path: event, ..column("event", ColumnType::Json) },
    ]
}

fn configured(columns: &[ColumnConfig], problems: &mut Vec<Problem>) -> Vec<Column> {
    if columns.is_empty() || columns.len() > MAX_COLUMNS {
        problems.push(Problem::of("columns", format!("must have 1 to {MAX_COLUMNS} columns")));
        return Vec::new();
    }
    let mut parsed = Vec::new();
    for (position, config) in columns.iter().enumerate() {
        let mut problem = |field: &str, message: String| {
            let path = vec!["columns".to_owned(), position.to_string(), field.to_owned()];
            problems.push(Problem { path, message });
        };
        if let Some(Step::Field(first)) = config.path.steps().first()
            && !FIELDS.contains(&first.as_str())
        {
            let message = format!("must begin with one of: {}", FIELDS.join(", "));
            problem("path", format!("{message}; `$` is the whole event"));
        }
        let default = default(config).unwrap_or_else(|message| {
            problem("default", message);
            Cell::Null
        });
        let ColumnConfig { name, path, column_type, required, .. } = config.clone();
        parsed.push(Column { name, path, column_type, required, default });
    }
    parsed
}

fn default(config: &ColumnConfig) -> Result<Cell, String> {
    let Some(value) = config.default.as_ref().filter(|value| !value.is_null()) else {
        return Ok(Cell::Null);
    };
    let json = RawValue::from_string(value.to_string()).expect("a JSON value is JSON");
    config.column_type.convert(&json).map_err(|wanted| format!("must be {wanted}"))
}

fn check_names(columns: &[Column], problems: &mut Vec<Problem>) {
    let mut names: Vec<String> =
        columns.iter().map(|column| column.name.as_str().to_lowercase()).collect();
    names.sort_unstable();
    if let Some([name, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let hint = if name == "id" { "; the column `id` has the message's id" } else { "" };
        problems.push(Problem::of("columns", format!("must have `{name}` only once{hint}")));
    }
}

/// Positions of the columns that are unique together.
fn key(
    config: &MappingConfig<'_>,
    columns: &[Column],
    id: usize,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let Some(names) = config.key else { return vec![id] };
    if config.mode == Mode::Insert {
        let message = "must be absent unless `mode` is `upsert`; rows are inserted once for each \
                       message";
        problems.push(Problem::of("key", message));
    }
    let mut key = Vec::new();
    for (position, name) in names.iter().enumerate() {
        match columns.iter().position(|column| column.name == *name) {
            Some(column) if !key.contains(&column) => key.push(column),
            Some(_) | None => problems.push(Problem {
                path: vec!["key".to_owned(), position.to_string()],
                message: "must be the name of one of the columns, and occur only once".to_owned(),
            }),
        }
    }
    if names.is_empty() {
        problems.push(Problem::of("key", "must have at least one column"));
    }
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn mapping(columns: serde_json::Value) -> Result<Mapping, Vec<Problem>> {
        let columns: Vec<ColumnConfig> = serde_json::from_value(columns).unwrap();
        Mapping::new(MappingConfig { columns: Some(&columns), mode: Mode::Insert, key: None })
    }

    fn row(columns: serde_json::Value, body: &'static str) -> Result<Vec<Cell>, Unfit> {
        let mapping = mapping(columns).unwrap();
        let row = mapping.row(&fixtures::message(), &Bytes::from_static(body.as_bytes()));
        row.map(|row| row.cells)
    }

    fn id() -> Cell {
        Cell::Text(fixtures::message().id.to_string())
    }

    #[test]
    fn without_columns_a_row_has_the_whole_event() {
        let config = MappingConfig { columns: None, mode: Mode::Insert, key: None };
        let mapping = Mapping::new(config).unwrap();
        let names: Vec<&str> = mapping.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "type", "timestamp", "event"]);
        let row = mapping.row(&fixtures::message(), &Bytes::from_static(b"{\"n\":1.50}")).unwrap();
        assert_eq!(row.cells[0], id());
        assert!(matches!(&row.cells[3], Cell::Text(json) if json.contains("\"n\":1.50")));
    }

    #[test]
    fn missing_values_are_null_or_the_default_unless_they_are_required() {
        let n = |more: serde_json::Value| {
            let mut column = json!({ "name": "n", "path": "payload.n", "type": "integer" });
            column.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!([column])
        };
        assert_eq!(row(n(json!({})), "{}").unwrap(), [id(), Cell::Null]);
        assert_eq!(row(n(json!({})), r#"{"n":null}"#).unwrap(), [id(), Cell::Null]);
        assert_eq!(row(n(json!({ "default": 3 })), "{}").unwrap(), [id(), Cell::Integer(3)]);
        let unfit = row(n(json!({ "required": true })), "{}").unwrap_err();
        let text = "column `n` cannot be filled: there is no value at `payload.n`";
        assert_eq!(unfit.to_string(), text);
        let unfit = row(n(json!({})), r#"{"n":"abc"}"#).unwrap_err();
        let text = "column `n` cannot be filled: the value at `payload.n` is not an integer of 64 \
                    bits: \"abc\"";
        assert_eq!(unfit.to_string(), text);
    }

    #[test]
    fn the_column_of_the_id_may_have_another_name() {
        let mapping = mapping(json!([
            { "name": "n", "path": "payload.n" },
            { "name": "message", "path": "$.id" },
        ]));
        let mapping = mapping.unwrap();
        assert_eq!((mapping.id, mapping.columns.len(), mapping.key), (1, 2, vec![1]));
    }

    #[test]
    fn problems_name_the_column_and_the_field() {
        let cases = [
            (json!([]), "columns"),
            (json!([{ "name": "id", "path": "payload.id" }]), "columns"),
            (json!([{ "name": "a", "path": "id" }, { "name": "A", "path": "type" }]), "columns"),
            (json!([{ "name": "a", "path": "data.id" }]), "columns.0.path"),
            (
                json!([{ "name": "a", "path": "payload.a", "type": "date", "default": 1 }]),
                "columns.0.default",
            ),
        ];
        for (columns, expected) in cases {
            let problems = mapping(columns.clone()).unwrap_err();
            assert_eq!(problems[0].path.join("."), expected, "{columns}");
        }
    }

    #[test]
    fn a_key_consists_of_columns_that_must_have_values() {
        let columns = json!([{ "name": "user", "path": "payload.user" }]);
        let columns: Vec<ColumnConfig> = serde_json::from_value(columns).unwrap();
        let new = |mode, key: &[&str]| {
            let key: Vec<Name> = key.iter().map(|it| Name::parse(it).unwrap()).collect();
            Mapping::new(MappingConfig { columns: Some(&columns), mode, key: Some(&key) })
        };
        let mapping = new(Mode::Upsert, &["user"]).unwrap();
        assert_eq!((mapping.key, mapping.columns[1].required), (vec![1], true));
        assert!(new(Mode::Insert, &["user"]).is_err());
        for wrong in [&[][..], &["other"], &["user", "user"]] {
            assert!(new(Mode::Upsert, wrong).is_err(), "{wrong:?}");
        }
    }
}
