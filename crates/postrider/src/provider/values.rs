//! Evaluates selectors on a request. The body is parsed when one of its values is first needed, and
//! only for reading: the signature covers the raw bytes.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::value::RawValue;

use super::{
    Request, crypto, json,
    model::{Encoding, Hash},
    selector::{Path, Selector, Step},
    work::WorkBudget,
};

/// The named parts of a signature header.
pub(super) type Fields<'a> = [(&'a str, &'a str)];

/// A request whose values are selected.
pub(super) struct Values<'a> {
    pub request: &'a Request<'a>,
    json: OnceCell<Option<&'a RawValue>>,
    form: OnceCell<Vec<(String, String)>>,
    query: OnceCell<Vec<(String, String)>>,
    sha256: OnceCell<String>,
    crc32: OnceCell<String>,
    /// The remaining work budget of the request.
    pub work: WorkBudget,
}

/// Maximum number of values for one selector. Batches have fewer, but an attacker can send a body
/// with millions.
const MAX_VALUES: usize = 100_000;

impl<'a> Values<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let (json, form, query, sha256, crc32) = Default::default();
        Self { request, json, form, query, sha256, crc32, work: WorkBudget::for_request(request) }
    }

    pub(super) fn body_sha256_hex(&self) -> &str {
        self.sha256.get_or_init(|| {
            let hash = self.of_body(1, |body| crypto::digest(Hash::Sha256, body));
            Encoding::Hex.encode(&hash.unwrap_or_default())
        })
    }

    pub(super) fn body_crc32(&self) -> &str {
        let crc32 = || self.of_body(1, |body| crc32fast::hash(body).to_string());
        self.crc32.get_or_init(|| crc32().unwrap_or_default())
    }

    /// Computes something over the body, if the work budget allows it.
    fn of_body<T>(&self, cost: usize, compute: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.work.take(self.request.body.len().saturating_mul(cost))?;
        Some(compute(self.request.body))
    }

    /// The first selected value.
    pub(super) fn first<'v>(
        &'v self,
        source: &Selector,
        fields: &Fields<'v>,
    ) -> Option<Cow<'v, str>> {
        self.all(source, fields).into_iter().next()
    }

    /// All selected values. In JSON, these are strings, booleans, and numbers as they are written.
    pub(super) fn all<'v>(&'v self, source: &Selector, fields: &Fields<'v>) -> Vec<Cow<'v, str>> {
        match source {
            Selector::Header(name) => self.headers(name),
            Selector::Query(name) => self.named(self.query(), name),
            Selector::Form(name, None) => self.named(self.form(), name),
            Selector::Form(name, Some(path)) => {
                let found = self.named(self.form(), name);
                let inner =
                    |it: &Cow<'_, str>| self.scalars(json::document(it.as_bytes()).ok(), path);
                found.iter().flat_map(inner).take(MAX_VALUES).collect()
            },
            Selector::Json(path) => self.scalars(self.json(), path),
            Selector::Key(pattern) => self.keys(pattern),
            Selector::Field(name) => {
                let found = fields.iter().filter(|(key, _)| key == name);
                found.map(|(_, value)| Cow::Borrowed(*value)).collect()
            },
        }
    }

    /// All selected values, if none is missing or empty: the ids of a batch identify it only if
    /// every event has one.
    pub(super) fn complete(&self, source: &Selector) -> Option<Vec<String>> {
        let found = match source {
            // The ids of the first of several documents do not identify the others.
            Selector::Json(path) => {
                let document = self.of_body(1, |_| json::document(self.request.body))?;
                self.complete_at(document.ok()?, path)
            },
            Selector::Form(name, Some(path)) => {
                let inner = |value: &Cow<'_, str>| {
                    json::document(value.as_bytes()).ok().and_then(|it| self.complete_at(it, path))
                };
                let found: Option<Vec<_>> =
                    self.named(self.form(), name).iter().map(inner).collect();
                found.map(|it| it.concat())
            },
            Selector::Header(_)
            | Selector::Query(_)
            | Selector::Form(_, None)
            | Selector::Key(_)
            | Selector::Field(_) => {
                Some(self.all(source, &[]).into_iter().map(Cow::into_owned).collect())
            },
        };
        found.filter(|it| !it.is_empty() && !it.iter().any(String::is_empty))
    }

    /// Whether the value occurs more than once, so that a receiver could read another one than was
    /// verified.
    pub(super) fn is_ambiguous(&self, source: &Selector) -> bool {
        let charge = |it: &RawValue| self.work.take(it.get().len());
        let is_twice = |it: &RawValue, path: &Path| json::is_ambiguous(it, &path.0, &charge);
        match source {
            Selector::Json(path) => self.json().is_some_and(|it| is_twice(it, path)),
            Selector::Form(name, path) => {
                let found = self.named(self.form(), name);
                let inner = |value: &Cow<'_, str>| {
                    let document = json::document(value.as_bytes()).ok();
                    path.as_ref().is_some_and(|path| document.is_some_and(|it| is_twice(it, path)))
                };
                found.len() > 1 || found.iter().any(inner)
            },
            Selector::Query(_) | Selector::Header(_) => self.all(source, &[]).len() > 1,
            Selector::Key(_) | Selector::Field(_) => false,
        }
    }

    /// The number of values that the path should select, whether they are valid or not.
    pub(super) fn expected_count(&self, path: &Path) -> usize {
        let above = path.0.split_last().map_or(&[][..], |(_, above)| above);
        self.json().map_or(0, |it| self.follow(it, above).len())
    }

    /// The JSON body; the first document, if there are several.
    fn json(&self) -> Option<&'a RawValue> {
        let body = self.request.body;
        *self.json.get_or_init(|| self.of_body(1, |_| json::first_document(body)).flatten())
    }

    fn form(&self) -> &[(String, String)] {
        self.form.get_or_init(|| self.of_body(1, pairs).unwrap_or_default())
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
        let keys = self.json().and_then(|it| self.of_body(1, |_| json::members(it)));
        let keys = keys.unwrap_or_default().into_iter();
        keys.map(|(key, _)| key).filter(|it| fits(it)).take(1).collect()
    }

    fn follow<'v>(&self, document: &'v RawValue, steps: &[Step]) -> Vec<&'v RawValue> {
        let charge = |it: &RawValue| self.work.take(it.get().len());
        json::follow(document, steps, charge)
    }

    fn scalars(&self, document: Option<&RawValue>, path: &Path) -> Vec<Cow<'static, str>> {
        let found = document.map(|it| self.follow(it, &path.0)).unwrap_or_default();
        let owned = |it: Cow<'_, str>| Cow::Owned(it.into_owned());
        found.into_iter().filter_map(json::scalar).map(owned).take(MAX_VALUES).collect()
    }

    fn complete_at(&self, document: &RawValue, path: &Path) -> Option<Vec<String>> {
        let charge = |it: &RawValue| self.work.take(it.get().len());
        let found = json::follow_all(document, &path.0, charge)?;
        if found.len() > MAX_VALUES {
            return None;
        }
        found.into_iter().map(|it| json::scalar(it).map(Cow::into_owned)).collect()
    }

    fn named<'v>(&self, pairs: &'v [(String, String)], name: &str) -> Vec<Cow<'v, str>> {
        if self.work.take(pairs.len()).is_none() {
            return Vec::new();
        }
        let found = pairs.iter().filter(|(it, _)| it == name).take(MAX_VALUES);
        found.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().take(MAX_VALUES).collect()
}
