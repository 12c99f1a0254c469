//! One request to verify, and what all providers' modules ask of it.

use serde_json::value::RawValue;

use super::super::{Request, Settings, VerifyError, json, verify::SchemeMatch};

/// Fields of a form. No provider sends a hundred, and each takes more memory than a short one has
/// bytes.
const MAX_FIELDS: usize = 10_000;

/// What verifying takes.
#[derive(Clone, Copy)]
pub(super) struct VerifyingContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) request: &'a Request<'a>,
    pub(super) now_seconds: u64,
}

impl<'a> VerifyingContext<'a> {
    pub(super) fn header(&self, name: &str) -> Result<&'a str, VerifyError> {
        self.request.headers.get(name).ok_or_else(|| VerifyError::Missing(format!("header:{name}")))
    }

    /// The body as text.
    pub(super) fn text(&self) -> Result<&'a str, VerifyError> {
        std::str::from_utf8(self.request.body).map_err(|_| malformed("body is not UTF-8"))
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<&'a RawValue, VerifyError> {
        json::document(self.request.body).map_err(|_| malformed("body is not JSON"))
    }

    /// The only field of a form that has this name.
    pub(super) fn field(&self, name: &str) -> Result<String, VerifyError> {
        let mut found = self.form()?.into_iter().filter(|(it, _)| it == name);
        let (_, value) =
            found.next().ok_or_else(|| VerifyError::Missing(format!("form:{name}")))?;
        match found.next() {
            None => Ok(value),
            Some(_) => Err(malformed(&format!("form:{name} is there more than once"))),
        }
    }

    /// The body as the fields of a form, in their order.
    pub(super) fn form(&self) -> Result<Vec<(String, String)>, VerifyError> {
        let fields = form_urlencoded::parse(self.request.body).into_owned();
        let fields: Vec<_> = fields.take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            return Err(malformed("body has more fields than a form of the provider"));
        }
        Ok(fields)
    }

    /// The first secret that matches; all are tried. An error says what is wrong with a secret.
    pub(super) fn matching(
        &self,
        mut matches: impl FnMut(&str) -> Result<bool, String>,
    ) -> Result<SchemeMatch, VerifyError> {
        if self.settings.secrets.is_empty() {
            return Err(VerifyError::NoSecret);
        }
        let (mut matched, mut unusable) = (None, None);
        for (index, secret) in self.settings.secrets.iter().enumerate() {
            match matches(secret) {
                Ok(true) => matched = matched.or(Some(index)),
                Ok(false) => {},
                Err(reason) => unusable = unusable.or(Some(VerifyError::Secret { index, reason })),
            }
        }
        let secret = matched.ok_or(unusable.unwrap_or(VerifyError::Signature))?;
        Ok(SchemeMatch { secret: Some(secret), ..SchemeMatch::default() })
    }

    /// Checks when the request was signed. Without a setting and without a tolerance of the
    /// provider nothing is too old: some repeat a request for days as they first signed it.
    pub(super) fn check_timestamp(
        &self,
        signed_at: &str,
        tolerance: Option<u64>,
    ) -> Result<(), VerifyError> {
        let setting = self.settings.tolerance.map(|it| it.as_secs());
        let Some(tolerance) = setting.or(tolerance) else { return Ok(()) };
        let signed_at = seconds(signed_at).ok_or_else(|| malformed("timestamp is not a time"))?;
        if self.now_seconds.saturating_sub(signed_at) > tolerance {
            return Err(VerifyError::TooOld);
        }
        if signed_at.saturating_sub(self.now_seconds) > tolerance {
            return Err(VerifyError::TooNew);
        }
        Ok(())
    }
}

/// The object, if it has no member twice: only some of it is signed, and a receiver could read
/// another member than was verified.
pub(super) fn unambiguous(object: &RawValue) -> Result<&RawValue, VerifyError> {
    match json::repeated(object) {
        None => Ok(object),
        Some(name) => Err(malformed(&format!("`{name}` is there more than once in the body"))),
    }
}

pub(super) fn malformed(reason: &str) -> VerifyError {
    VerifyError::Malformed(reason.to_owned())
}

/// Seconds since 1970 of a number of seconds or milliseconds, or of a date.
fn seconds(text: &str) -> Option<u64> {
    /// As seconds this is the year 5138, as milliseconds 1973.
    const FIRST_MILLISECONDS: u64 = 100_000_000_000;

    if text.bytes().all(|it| it.is_ascii_digit()) {
        let number: u64 = text.parse().ok()?;
        return Some(if number < FIRST_MILLISECONDS { number } else { number / 1000 });
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    time.as_second().try_into().ok()
}

/// The text of a member, which may be a number or a boolean; empty if there is none.
pub(super) fn scalar(object: &RawValue, name: &str) -> String {
    json::member(object, name).and_then(json::scalar).unwrap_or_default().into_owned()
}
