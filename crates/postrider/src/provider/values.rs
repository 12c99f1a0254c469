//! Taking values out of a request. The body is parsed when a value in it is first asked for,
//! and only for reading: what is signed are the bytes.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value;

use super::{
    Request,
    source::{Path, Source, Step},
};

/// The parts of a signature header that have names.
pub(super) type Fields<'a> = [(&'a str, &'a str)];

/// A request that values are taken out of.
pub(super) struct Values<'a> {
    pub request: &'a Request<'a>,
    json: OnceCell<Option<Value>>,
    form: OnceCell<Vec<(String, String)>>,
    query: OnceCell<Vec<(String, String)>>,
}

impl<'a> Values<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let (json, form, query) = Default::default();
        Self { request, json, form, query }
    }

    /// The first value that stands there.
    pub(super) fn first<'v>(
        &'v self,
        source: &Source,
        fields: &Fields<'v>,
    ) -> Option<Cow<'v, str>> {
        self.all(source, fields).into_iter().next()
    }

    /// All values that stand there; of JSON only texts, numbers and booleans.
    pub(super) fn all<'v>(&'v self, source: &Source, fields: &Fields<'v>) -> Vec<Cow<'v, str>> {
        match source {
            Source::Header(name) => self.headers(name),
            Source::Query(name) => named(self.query(), name),
            Source::Form(name, None) => named(self.form(), name),
            Source::Form(name, Some(path)) => {
                let inner = |it: &Cow<'_, str>| serde_json::from_str::<Value>(it).ok();
                let documents =
                    named(self.form(), name).iter().filter_map(inner).collect::<Vec<_>>();
                let found = documents.iter().flat_map(|it| follow(it, &path.0)).filter_map(scalar);
                found.map(|it| Cow::Owned(it.into_owned())).collect()
            },
            Source::Json(path) => {
                let found = self.json().map(|it| follow(it, &path.0)).unwrap_or_default();
                found.into_iter().filter_map(scalar).collect()
            },
            Source::Key(pattern) => self.keys(pattern),
            Source::Field(name) => {
                let found = fields.iter().filter(|(key, _)| key == name);
                found.map(|(_, value)| Cow::Borrowed(*value)).collect()
            },
        }
    }

    /// How many values there are to be in the places that the path names, whatever they are.
    pub(super) fn places(&self, path: &Path) -> usize {
        let above = path.0.split_last().map_or(&[][..], |(_, above)| above);
        self.json().map_or(0, |it| follow(it, above).len())
    }

    /// The JSON body; of several documents the first.
    pub(super) fn json(&self) -> Option<&Value> {
        let read =
            || serde_json::Deserializer::from_slice(self.request.body).into_iter().next()?.ok();
        self.json.get_or_init(read).as_ref()
    }

    fn form(&self) -> &[(String, String)] {
        self.form.get_or_init(|| pairs(self.request.body))
    }

    fn query(&self) -> &[(String, String)] {
        let query = || pairs(self.request.url.split_once('?').map_or("", |(_, it)| it).as_bytes());
        self.query.get_or_init(query)
    }

    fn headers(&self, name: &str) -> Vec<Cow<'a, str>> {
        let fits = |it: &str| match name.strip_suffix('*') {
            Some(start) => it.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)),
            None => it.eq_ignore_ascii_case(name),
        };
        let found = self.request.headers.0.iter().filter(|(it, _)| fits(it));
        found.filter_map(|(_, it)| std::str::from_utf8(it).ok().map(Cow::Borrowed)).collect()
    }

    fn keys(&self, pattern: &str) -> Vec<Cow<'_, str>> {
        let fits = |key: &str| match (pattern.strip_prefix('!'), pattern.strip_prefix('*')) {
            (Some(other), _) => key != other,
            (None, Some(end)) => key.ends_with(end),
            (None, None) => key == pattern,
        };
        let keys = self.json().and_then(Value::as_object).into_iter().flat_map(|it| it.keys());
        keys.filter(|it| fits(it)).take(1).map(|it| Cow::Borrowed(it.as_str())).collect()
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn named<'v>(pairs: &'v [(String, String)], name: &str) -> Vec<Cow<'v, str>> {
    let found = pairs.iter().filter(|(it, _)| it == name);
    found.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// All values that the steps lead to.
fn follow<'v>(value: &'v Value, steps: &[Step]) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|it| take(it, step)).collect();
    }
    found
}

fn take<'v>(value: &'v Value, step: &Step) -> Vec<&'v Value> {
    let one = |it: Option<&'v Value>| it.into_iter().collect();
    match (value, step) {
        (Value::Array(list), Step::All) => list.iter().collect(),
        (Value::Array(list), Step::First) => one(list.first()),
        (Value::Array(list), Step::Index(index)) => one(list.get(*index)),
        (Value::Object(map), Step::Key(key)) => one(map.get(key)),
        (Value::Object(map), Step::Index(index)) => one(map.get(&index.to_string())),
        (Value::Object(map), Step::First) => one(map.get("N")),
        _ => Vec::new(),
    }
}
