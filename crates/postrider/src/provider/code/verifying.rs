//! The input of the `verify` functions, with helpers that they share.

use serde_json::value::RawValue;

use super::super::{Request, Settings, VerifyError, json, verify::SchemeMatch};

/// Maximum number of form fields. No provider sends a hundred, and each field needs more memory
/// than a short one has bytes.
const MAX_FIELDS: usize = 10_000;

/// A request to verify.
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

    /// Parses the body as text.
    pub(super) fn text(&self) -> Result<&'a str, VerifyError> {
        std::str::from_utf8(self.request.body).map_err(|_| malformed("body is not UTF-8"))
    }

    /// Parses the body as JSON.
    pub(super) fn json(&self) -> Result<&'a RawValue, VerifyError> {
        json::document(self.request.body).map_err(|_| malformed("body is not JSON"))
    }

    /// The only form field with this name.
    pub(super) fn field(&self, name: &str) -> Result<String, VerifyError> {
        let mut found = self.form()?.into_iter().filter(|(it, _)| it == name);
        let (_, value) =
            found.next().ok_or_else(|| VerifyError::Missing(format!("form:{name}")))?;
        match found.next() {
            None => Ok(value),
            Some(_) => Err(malformed(&format!("form:{name} occurs more than once"))),
        }
    }

    /// Parses the body as form fields, in order.
    pub(super) fn form(&self) -> Result<Vec<(String, String)>, VerifyError> {
        let fields = form_urlencoded::parse(self.request.body).into_owned();
        let fields: Vec<_> = fields.take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            return Err(malformed("body has too many form fields"));
        }
        Ok(fields)
    }

    /// Finds the first matching secret. All secrets are tried. An error explains why a secret is
    /// unusable.
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

    /// Checks the signing time. Without a tolerance in the settings or from the provider, no time
    /// is too old: some providers repeat a request for days with its original signature.
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

/// Rejects an object that has a member twice: only some members are signed, and a receiver could
/// read another one than was verified.
pub(super) fn unambiguous(object: &RawValue) -> Result<&RawValue, VerifyError> {
    match json::repeated(object) {
        None => Ok(object),
        Some(name) => Err(malformed(&format!("`{name}` occurs more than once in the body"))),
    }
}

pub(super) fn malformed(reason: &str) -> VerifyError {
    VerifyError::Malformed(reason.to_owned())
}

/// Parses seconds or milliseconds since 1970, or a date.
fn seconds(text: &str) -> Option<u64> {
    /// In seconds this is the year 5138, in milliseconds 1973.
    const FIRST_MILLISECONDS: u64 = 100_000_000_000;

    if text.bytes().all(|it| it.is_ascii_digit()) {
        let number: u64 = text.parse().ok()?;
        return Some(if number < FIRST_MILLISECONDS { number } else { number / 1000 });
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    time.as_second().try_into().ok()
}

/// The text of a member, which may be a number or a boolean; empty if it is missing.
pub(super) fn scalar(object: &RawValue, name: &str) -> String {
    json::member(object, name).and_then(json::scalar).unwrap_or_default().into_owned()
}
