//! Files with declared records: their lists, the references in them, and where each record is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use postrider::api::declaration::DeclaredKind;
use serde_json::{Map, Value};

use super::tree::{Located, Tree};
use crate::kind::MASK;

/// Fields whose value is an object with names of the user, so that it is never a reference itself.
const OBJECTS: [&str; 7] =
    ["config", "headers", "mapping", "metadata", "parameters", "schemas", "variables"];

/// Where a value comes from that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A variable of the environment.
    Env(String),
    /// A file, relative to the one with the reference.
    File(PathBuf),
}

/// A problem in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    pub file: PathBuf,
    pub line: usize,
    pub message: String,
}

/// The records of all files.
#[derive(Debug, Default)]
pub struct Declared {
    /// The lists, as the API reads them.
    pub records: BTreeMap<DeclaredKind, Vec<Value>>,
    places: BTreeMap<DeclaredKind, Vec<Place>>,
}

/// Where a record is.
#[derive(Debug)]
struct Place {
    file: PathBuf,
    record: Located,
}

/// The result of a reference: its value, nothing if the stored value is to be kept, or why there
/// is none.
pub type Resolved = Result<Option<String>, String>;

/// Reads the lists of files.
pub struct Files<'a> {
    resolve: &'a mut dyn FnMut(&Reference) -> Resolved,
    declared: Declared,
    problems: Vec<FileProblem>,
    seen: BTreeMap<(DeclaredKind, String), (PathBuf, usize)>,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl<'a> Files<'a> {
    /// No files yet. `resolve` finds what references stand for.
    pub fn new(resolve: &'a mut dyn FnMut(&Reference) -> Resolved) -> Self {
        Self { resolve, declared: Declared::default(), problems: Vec::new(), seen: BTreeMap::new() }
    }

    /// Adds the records of a file.
    pub fn add(&mut self, file: &Path, content: &Located) {
        let Tree::Map(lists) = &content.tree else {
            let message = format!("must have lists of records: {}", names());
            self.problem(file, content.line, message);
            return;
        };
        for (name, list) in lists {
            if let Some(kind) = DeclaredKind::ALL.into_iter().find(|it| it.list() == name) {
                self.add_list(file, kind, list, None);
            } else {
                let message = format!("`{name}` is no list of records; there are {}", names());
                self.problem(file, list.line, message);
            }
        }
    }

    /// The records of all files, or all problems.
    pub fn finish(self) -> Result<Declared, Vec<FileProblem>> {
        if self.problems.is_empty() { Ok(self.declared) } else { Err(self.problems) }
    }

    fn problem(&mut self, file: &Path, line: usize, message: impl Into<String>) {
        self.problems.push(FileProblem { file: file.to_owned(), line, message: message.into() });
    }

    fn add_list(
        &mut self,
        file: &Path,
        kind: DeclaredKind,
        list: &Located,
        parent: Option<(&str, &str)>,
    ) {
        let Tree::List(records) = &list.tree else {
            self.problem(file, list.line, format!("`{}` must be a list", kind.list()));
            return;
        };
        for record in records {
            self.add_record(file, kind, record, parent);
        }
    }

    fn add_record(
        &mut self,
        file: &Path,
        kind: DeclaredKind,
        record: &Located,
        parent: Option<(&str, &str)>,
    ) {
        let Tree::Map(fields) = &record.tree else {
            self.problem(file, record.line, format!("must be an {kind} with its fields"));
            return;
        };
        let key = if kind == DeclaredKind::EventType { "name" } else { "uid" };
        let Some(uid) = record.field(key).and_then(Located::text) else {
            let message = format!("the {kind} has no `{key}`, by which it is found");
            self.problem(file, record.line, message);
            return;
        };
        self.check_unseen(file, kind, record, (parent, uid));
        let mut object = Map::new();
        let nested = |name: &str| {
            let has_endpoints = matches!(kind, DeclaredKind::Application | DeclaredKind::Source);
            has_endpoints && name == DeclaredKind::Endpoint.list()
        };
        for (name, value) in fields.iter().filter(|(name, _)| !nested(name)) {
            let value = self.value(file, name, value);
            object.insert(name.clone(), value);
        }
        if let Some((field, uid)) = parent {
            object.insert(field.to_owned(), uid.into());
        }
        self.declared.records.entry(kind).or_default().push(Value::Object(object));
        let place = Place { file: file.to_owned(), record: record.clone() };
        self.declared.places.entry(kind).or_default().push(place);
        let field = if kind == DeclaredKind::Source { "source" } else { "application" };
        for (_, endpoints) in fields.iter().filter(|(name, _)| nested(name)) {
            self.add_list(file, DeclaredKind::Endpoint, endpoints, Some((field, uid)));
        }
    }

    fn check_unseen(
        &mut self,
        file: &Path,
        kind: DeclaredKind,
        record: &Located,
        (parent, uid): (Option<(&str, &str)>, &str),
    ) {
        let own = ["application", "source"]
            .into_iter()
            .find_map(|field| Some((field, record.field(field)?.text()?)))
            .filter(|_| kind == DeclaredKind::Endpoint);
        let name = match parent.or(own) {
            Some((field, of)) => format!("{uid} of the {field} {of}"),
            None => uid.to_owned(),
        };
        let place = (file.to_owned(), record.line);
        if let Some((first, line)) = self.seen.insert((kind, name.clone()), place) {
            let first = first.display();
            let message =
                format!("the {kind} {name} is declared twice; the first is in {first}:{line}");
            self.problem(file, record.line, message);
        }
    }

    /// The value with what its references stand for.
    fn value(&mut self, file: &Path, name: &str, value: &Located) -> Value {
        match &value.tree {
            Tree::Scalar(scalar) => scalar.clone(),
            Tree::List(items) => {
                Value::Array(items.iter().map(|it| self.value(file, "", it)).collect())
            },
            Tree::Map(fields) => {
                if let Some(reference) = reference(fields).filter(|_| !OBJECTS.contains(&name)) {
                    return self.resolved(file, value.line, &reference);
                }
                let of =
                    |(name, it): &(String, Located)| (name.clone(), self.value(file, name, it));
                Value::Object(fields.iter().map(of).collect())
            },
        }
    }

    fn resolved(&mut self, file: &Path, line: usize, reference: &Reference) -> Value {
        let reference = match reference {
            Reference::Env(name) => Reference::Env(name.clone()),
            Reference::File(path) => {
                Reference::File(file.parent().unwrap_or(Path::new("")).join(path))
            },
        };
        match (self.resolve)(&reference) {
            Ok(Some(text)) => text.into(),
            Ok(None) => MASK.into(),
            Err(reason) => {
                self.problem(file, line, reason);
                Value::Null
            },
        }
    }
}

/// The reference that an object is, if it is one.
fn reference(fields: &[(String, Located)]) -> Option<Reference> {
    let [(name, value)] = fields else { return None };
    let text = value.text()?.to_owned();
    match name.as_str() {
        "env" => Some(Reference::Env(text)),
        "file" => Some(Reference::File(text.into())),
        _ => None,
    }
}

fn names() -> String {
    DeclaredKind::ALL.map(DeclaredKind::list).join(", ")
}

impl Declared {
    /// The file and the line of a field of a record.
    pub fn place(&self, list: &str, index: usize, field: &[String]) -> Option<(&Path, usize)> {
        let kind = DeclaredKind::ALL.into_iter().find(|it| it.list() == list)?;
        let place = self.places.get(&kind)?.get(index)?;
        Some((&place.file, place.record.line_of(field)))
    }

    /// The number of records.
    pub fn count(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }
}
