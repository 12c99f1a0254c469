//! A request while it is being signed.

use super::{
    super::{
        Headers, Model, Request, crypto,
        expression::Expression,
        json,
        model::{Encoding, Hash},
        selector::{Path, Selector},
    },
    SignError, SignedRequest, UnsignedRequest,
};

/// A complete request without its signature.
#[derive(Clone, Debug)]
pub(in super::super) struct Outgoing {
    pub request: SignedRequest,
    /// The id of the unsigned request, or one that is derived from the body and the time.
    pub event_id: String,
}

impl Outgoing {
    pub(super) fn new(model: &Model, draft: &UnsignedRequest, now_seconds: u64) -> Self {
        let headers = vec![("content-type".to_owned(), content_type(&draft.body).to_owned())];
        let (url, body) = (draft.url.clone(), draft.body.clone());
        let request = SignedRequest { method: "POST".to_owned(), url, headers, body };
        let event_id = draft.event_id.clone().unwrap_or_else(|| make_up(&draft.body, now_seconds));
        let mut outgoing = Self { request, event_id: event_id.clone() };
        for (name, value) in &draft.headers {
            outgoing.put_header(name, value);
        }
        if let Some(event_type) = &draft.event_type {
            outgoing.put_into_headers(model.event_type.iter(), event_type, '.');
        }
        outgoing.put_into_headers(model.event_ids(), &event_id, ':');
        outgoing
    }

    /// The unsigned request with an event id, for schemes that build the signed request themselves.
    pub(super) fn draft(&self, draft: UnsignedRequest) -> UnsignedRequest {
        UnsignedRequest { event_id: Some(self.event_id.clone()), ..draft }
    }

    /// Adds the headers with the event type and id to a signed request that lacks them.
    pub(super) fn complete(self, mut made: SignedRequest) -> SignedRequest {
        for (name, value) in self.request.headers {
            if !made.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(&name)) {
                made.headers.push((name, value));
            }
        }
        made
    }

    /// Writes an event type or id into the headers where the provider sends it. Only the first
    /// expression that consists of headers is written; values in the body are left to the body.
    fn put_into_headers<'e>(
        &mut self,
        mut expressions: impl Iterator<Item = &'e Expression>,
        value: &str,
        separator: char,
    ) {
        let header = |it: &Selector| matches!(it, Selector::Header(_));
        let Some(expression) = expressions.find(|it| it.terms.iter().all(header)) else {
            return;
        };
        let mut values = value.splitn(expression.terms.len(), separator);
        for term in &expression.terms {
            if let Selector::Header(name) = term {
                self.put_header(name, values.next().unwrap_or("1"));
            }
        }
    }

    /// The request as a receiver would see it.
    pub(in super::super) fn with_request<T>(&self, read: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.request.headers.iter().map(|(name, it)| (name.as_str(), it.as_bytes())).collect();
        read(&Request {
            method: &self.request.method,
            url: &self.request.url,
            headers: Headers(&headers),
            body: &self.request.body,
        })
    }

    /// Sets or replaces a header.
    pub(in super::super) fn put_header(&mut self, name: &str, value: &str) {
        // A name of the pattern, such as `x-docusign-signature-*`.
        let name = name.replace('*', "1");
        self.request.headers.retain(|(it, _)| !it.eq_ignore_ascii_case(&name));
        self.request.headers.push((name, value.to_owned()));
    }

    /// Writes a value to its location.
    pub(super) fn put(&mut self, source: &Selector, text: &str) -> Result<(), SignError> {
        match source {
            Selector::Header(name) => self.put_header(name, text),
            Selector::Query(name) => {
                let pair = form_urlencoded::Serializer::new(String::new())
                    .append_pair(name, text)
                    .finish();
                let joint = if self.request.url.contains('?') { '&' } else { '?' };
                self.request.url = format!("{}{joint}{pair}", self.request.url);
            },
            Selector::Form(name, None) => {
                let pairs = form_urlencoded::parse(&self.request.body).filter(|(it, _)| it != name);
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(pairs).append_pair(name, text);
                self.request.body = form.finish().into_bytes();
                self.put_header("content-type", "application/x-www-form-urlencoded");
            },
            Selector::Json(path) => return self.put_json(path, &json::quoted(text)),
            Selector::Form(_, Some(_)) | Selector::Key(_) | Selector::Field(_) => {
                return Err(SignError::Unsupported(
                    "its signature has a location that cannot be written",
                ));
            },
        }
        Ok(())
    }

    /// Writes a JSON value into the body.
    pub(super) fn put_json(&mut self, path: &Path, value: &str) -> Result<(), SignError> {
        let no_json = |it| SignError::Body(format!("it is not JSON: {it}"));
        let document = json::document(&self.request.body).map_err(no_json)?;
        let written = json::with(document, &path.0, value);
        let missing = || SignError::Body(format!("it has no location json:{path}"));
        self.request.body = written.ok_or_else(missing)?.get().as_bytes().to_vec();
        Ok(())
    }
}

/// Derives an id that is always the same for the same event.
fn make_up(body: &[u8], now_seconds: u64) -> String {
    let hash = crypto::digest(Hash::Sha256, &[body, &now_seconds.to_be_bytes()].concat());
    Encoding::Hex.encode(&hash).chars().take(32).collect()
}

fn content_type(body: &[u8]) -> &'static str {
    match body.trim_ascii_start().first() {
        Some(b'<') => "text/xml; charset=utf-8",
        Some(b'{' | b'[' | b'"') | None => "application/json",
        Some(_) if body.contains(&b'=') => "application/x-www-form-urlencoded",
        Some(_) => "text/plain; charset=utf-8",
    }
}
