//! Entries of lists of tables in the configuration file, such as `[[endpoints]]`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{ConfigError, Source};

/// The keys of a table that stands for a text from somewhere else.
const FROM_ENV: &str = "from_env";
const FROM_FILE: &str = "from_file";

/// One key of an entry, as the reference page lists it.
#[derive(Debug)]
pub(super) struct EntryKey {
    pub name: &'static str,
    pub about: &'static [&'static str],
    /// What the value is.
    pub expected: &'static str,
}

/// Declares the keys of an entry: a struct that is deserialized, and their documentation.
macro_rules! entry {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $expected:literal; )* }
    ) => {
        $(#[doc = $about])+
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $( $(#[doc = $doc])+ pub(super) $field: $type, )* }

        impl $name {
            /// The keys, in the order of declaration.
            pub(super) const KEYS: &[$crate::config::entry::EntryKey] =
                &[$( $crate::config::entry::EntryKey {
                    name: stringify!($field),
                    about: &[$($doc),+],
                    expected: $expected,
                } ),*];
        }
    };
}
pub(super) use entry;

/// The file that is being read.
#[derive(Clone, Copy)]
pub(super) struct FileText<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl FileText<'_> {
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|it| *it == b'\n').count() + 1
    }

    fn source(&self, line: usize) -> Source {
        Source::File { path: self.path.to_owned(), line }
    }
}

/// One entry of a list of tables.
#[derive(Clone)]
pub(super) struct Entry {
    /// The name of the list.
    list: &'static str,
    path: PathBuf,
    line: usize,
    /// With the texts from elsewhere in their places.
    fields: Map<String, Value>,
    /// The values that are written in the file.
    literal: Map<String, Value>,
    /// Lines by the path of the value.
    lines: BTreeMap<String, usize>,
    /// Variables that it refers to.
    variables: BTreeSet<String>,
}

impl fmt::Debug for Entry {
    /// Omits the values, which may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("origin", &self.origin()).finish_non_exhaustive()
    }
}

impl Entry {
    /// The entries of a list.
    pub(super) fn read_all(
        list: &'static str,
        file: FileText<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Self>, ConfigError> {
        let not_tables = || ConfigError::Value {
            key: list.to_owned(),
            origin: file.source(file.line(value.span().start)),
            value: format!("of the type {}", value.get_ref().type_str()),
            expected: "a list of tables: write its name in double brackets",
        };
        let items = value.get_ref().as_array().ok_or_else(not_tables)?;
        let read = |item: &Spanned<DeValue<'_>>| {
            let table = item.get_ref().as_table().ok_or_else(not_tables)?;
            Self::read(list, file, table, file.line(item.span().start))
        };
        items.iter().map(read).collect()
    }

    fn read(
        list: &'static str,
        file: FileText<'_>,
        table: &DeTable<'_>,
        line: usize,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader { file, lines: BTreeMap::new(), variables: BTreeSet::new() };
        let (fields, literal) = reader.table("", table).map_err(|(at, field, message)| {
            let name = table.get("uid").and_then(|uid| uid.get_ref().as_str());
            let origin = file.source(file.line(at));
            ConfigError::Entry { origin, entry: label(list, name), field, message }
        })?;
        let Reader { lines, variables, .. } = reader;
        Ok(Self { list, path: file.path.to_owned(), line, fields, literal, lines, variables })
    }

    /// Where it begins.
    pub(super) fn origin(&self) -> Source {
        Source::File { path: self.path.clone(), line: self.line }
    }

    pub(super) const fn variables(&self) -> &BTreeSet<String> {
        &self.variables
    }

    /// The values that are written in the file, without those from elsewhere.
    pub(super) const fn literal(&self) -> &Map<String, Value> {
        &self.literal
    }

    /// The entry as people know it: the list and the uid.
    pub(super) fn label(&self) -> String {
        label(self.list, self.fields.get("uid").and_then(Value::as_str))
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let value = Value::Object(self.fields.clone());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path: Vec<_> = error.path().iter().map(ToString::to_string).collect();
            self.error(&path, error.into_inner().to_string())
        })
    }

    /// A problem of a field.
    pub(super) fn error(&self, path: &[String], message: String) -> ConfigError {
        let line = (0..=path.len()).rev().find_map(|end| {
            self.lines.get(&path.iter().take(end).cloned().collect::<Vec<_>>().join("."))
        });
        ConfigError::Entry {
            origin: Source::File {
                path: self.path.clone(),
                line: line.copied().unwrap_or(self.line),
            },
            entry: self.label(),
            field: path.join("."),
            message,
        }
    }
}

fn label(list: &str, uid: Option<&str>) -> String {
    uid.map_or_else(|| format!("[[{list}]]"), |uid| format!("[[{list}]] \"{uid}\""))
}

/// Position in the text, path of the field, and what is wrong.
type Fault = (usize, String, String);

/// Converts a table to JSON, and looks up the texts from elsewhere.
struct Reader<'a> {
    file: FileText<'a>,
    lines: BTreeMap<String, usize>,
    variables: BTreeSet<String>,
}

/// Values by name.
type Fields = Map<String, Value>;

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(Fields, Fields), Fault> {
        let (mut fields, mut literal) = (Map::new(), Map::new());
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let path = format!("{prefix}{name}");
            self.lines.insert(path.clone(), self.file.line(key.span().start));
            let (full, written) = self.value(&path, value)?;
            fields.insert(name.clone(), full);
            literal.insert(name, written);
        }
        Ok((fields, literal))
    }

    /// The value, and as far as it is written in the file.
    fn value(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Result<(Value, Value), Fault> {
        let at = value.span().start;
        match value.get_ref() {
            DeValue::Table(table) => {
                if let Some(text) = self.reference(table) {
                    let text = text.map_err(|message| (at, path.to_owned(), message))?;
                    return Ok((text.into(), Value::Null));
                }
                let (fields, literal) = self.table(&format!("{path}."), table)?;
                Ok((fields.into(), literal.into()))
            },
            DeValue::Array(items) => {
                let read = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                    self.value(&format!("{path}.{index}"), item)
                };
                let items: Result<Vec<_>, Fault> = items.iter().enumerate().map(read).collect();
                let (full, literal): (Vec<_>, Vec<_>) = items?.into_iter().unzip();
                Ok((full.into(), literal.into()))
            },
            DeValue::String(text) => Ok((Value::from(&**text), Value::from(&**text))),
            DeValue::Boolean(value) => Ok(((*value).into(), (*value).into())),
            DeValue::Datetime(time) => Ok((time.to_string().into(), time.to_string().into())),
            scalar @ (DeValue::Integer(_) | DeValue::Float(_)) => {
                let number = number(scalar).ok_or_else(|| {
                    (at, path.to_owned(), "must be a number that JSON can represent".to_owned())
                })?;
                Ok((number.clone(), number))
            },
        }
    }

    /// The text that a table such as `{ from_env = "NAME" }` stands for.
    fn reference(&mut self, table: &DeTable<'_>) -> Option<Result<String, String>> {
        let mut keys = table.iter();
        let (key, value) = keys.next().filter(|_| keys.next().is_none())?;
        let named = value.get_ref().as_str();
        match (&**key.get_ref(), named) {
            (FROM_ENV, Some(name)) => Some(self.variable(name)),
            (FROM_FILE, Some(path)) => Some(read_text(Path::new(path))),
            (FROM_ENV | FROM_FILE, None) => Some(Err("must name one, as a text".to_owned())),
            _ => None,
        }
    }

    fn variable(&mut self, name: &str) -> Result<String, String> {
        self.variables.insert(name.to_owned());
        (self.file.variable)(name)
            .ok_or_else(|| format!("the environment variable {name} is not set; set it"))
    }
}

/// The content of a file without the line break at its end.
fn read_text(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(text.strip_suffix('\n').map_or(&*text, |it| it.strip_suffix('\r').unwrap_or(it)).to_owned())
}

fn number(value: &DeValue<'_>) -> Option<Value> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are no numbers")]
    match value {
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
                .ok()
                .map(Value::from)
        },
        DeValue::Float(number) => {
            let parsed = number.as_str().replace('_', "").parse::<f64>().ok()?;
            serde_json::Number::from_f64(parsed).map(Value::Number)
        },
        _ => None,
    }
}
