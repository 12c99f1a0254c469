//! Taking values out of a request. The body is parsed when a value in it is first asked for,
//! and only for reading: what is signed are the bytes.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::value::RawValue;

use super::{
    Request, json,
    source::{Path, Source},
};

/// The parts of a signature header that have names.
pub(super) type Fields<'a> = [(&'a str, &'a str)];

/// A request that values are taken out of.
pub(super) struct Values<'a> {
    pub request: &'a Request<'a>,
    json: OnceCell<Option<&'a RawValue>>,
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

    /// All values that stand there; of JSON only texts, booleans, and numbers as they
    /// are written.
    pub(super) fn all<'v>(&'v self, source: &Source, fields: &Fields<'v>) -> Vec<Cow<'v, str>> {
        match source {
            Source::Header(name) => self.headers(name),
            Source::Query(name) => named(self.query(), name),
            Source::Form(name, None) => named(self.form(), name),
            Source::Form(name, Some(path)) => {
                let found = named(self.form(), name);
                let inner = |it: &Cow<'_, str>| scalars(json::document(it.as_bytes()).ok(), path);
                found.iter().flat_map(inner).collect()
            },
            Source::Json(path) => scalars(self.json(), path),
            Source::Key(pattern) => self.keys(pattern),
            Source::Field(name) => {
                let found = fields.iter().filter(|(key, _)| key == name);
                found.map(|(_, value)| Cow::Borrowed(*value)).collect()
            },
        }
    }

    /// All values that stand there, if none is missing or empty wherever the source leads: the
    /// ids of a batch identify it only if every event has one.
    pub(super) fn complete(&self, source: &Source) -> Option<Vec<String>> {
        let found = match source {
            // The ids of the first of several documents say nothing of the others.
            Source::Json(path) => complete(json::document(self.request.body).ok()?, path),
            Source::Form(name, Some(path)) => {
                let inner = |it: &Cow<'_, str>| {
                    json::document(it.as_bytes()).ok().and_then(|it| complete(it, path))
                };
                let found: Option<Vec<_>> = named(self.form(), name).iter().map(inner).collect();
                found.map(|it| it.concat())
            },
            Source::Header(_)
            | Source::Query(_)
            | Source::Form(_, None)
            | Source::Key(_)
            | Source::Field(_) => {
                Some(self.all(source, &[]).into_iter().map(Cow::into_owned).collect())
            },
        };
        found.filter(|it| !it.is_empty() && !it.iter().any(String::is_empty))
    }

    /// Whether the value stands there more than once, so that another one than was verified could
    /// be read.
    pub(super) fn is_ambiguous(&self, source: &Source) -> bool {
        match source {
            Source::Json(path) => self.json().is_some_and(|it| json::is_ambiguous(it, &path.0)),
            Source::Form(name, path) => {
                let found = named(self.form(), name);
                let inner = |it: &Cow<'_, str>| {
                    let document = json::document(it.as_bytes()).ok();
                    path.as_ref().is_some_and(|path| {
                        document.is_some_and(|it| json::is_ambiguous(it, &path.0))
                    })
                };
                found.len() > 1 || found.iter().any(inner)
            },
            Source::Query(_) | Source::Header(_) => self.all(source, &[]).len() > 1,
            Source::Key(_) | Source::Field(_) => false,
        }
    }

    /// How many values there are to be in the places that the path names, whatever they are.
    pub(super) fn places(&self, path: &Path) -> usize {
        let above = path.0.split_last().map_or(&[][..], |(_, above)| above);
        self.json().map_or(0, |it| json::follow(it, above).len())
    }

    /// The JSON body; of several documents the first.
    fn json(&self) -> Option<&'a RawValue> {
        *self.json.get_or_init(|| json::first_document(self.request.body))
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
        let keys = self.json().map(json::members).unwrap_or_default().into_iter();
        keys.map(|(key, _)| key).filter(|it| fits(it)).take(1).collect()
    }
}

fn scalars(document: Option<&RawValue>, path: &Path) -> Vec<Cow<'static, str>> {
    let found = document.map(|it| json::follow(it, &path.0)).unwrap_or_default();
    let owned = |it: Cow<'_, str>| Cow::Owned(it.into_owned());
    found.into_iter().filter_map(json::scalar).map(owned).collect()
}

fn complete(document: &RawValue, path: &Path) -> Option<Vec<String>> {
    let found = json::follow_all(document, &path.0)?;
    found.into_iter().map(|it| json::scalar(it).map(Cow::into_owned)).collect()
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn named<'v>(pairs: &'v [(String, String)], name: &str) -> Vec<Cow<'v, str>> {
    let found = pairs.iter().filter(|(it, _)| it == name);
    found.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
}
