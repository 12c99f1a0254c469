//! What would have been valid: the headers that the provider would have sent.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use postrider::{
    api::{IngestLogOut, IngestSourceOut, SourceSecretsOut, ingest::PayloadEncoding},
    provider::SignedRequest,
};

use super::super::signed::{Signer, explain};
use crate::form::Form;

/// The headers that the provider would have sent with the same body, or why they are unknown.
pub(super) type Expected = Result<Vec<Difference>, String>;

/// A header as it was received and as it would have been valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) name: String,
    pub(super) received: Option<String>,
    pub(super) valid: String,
}

/// Signs the body that was received with the present secret, at the time when it was received.
pub(super) fn expected(
    source: &IngestSourceOut,
    secrets: &SourceSecretsOut,
    entry: &IngestLogOut,
) -> Expected {
    let signer = Signer::new(source, secrets, &Form::default());
    let at = u64::try_from(entry.created_at.as_second()).unwrap_or_default();
    let draft = signer.draft(body(entry).into_owned(), Vec::new());
    let signed = signer.sign(draft, at);
    let signed = signed.map_err(|it| explain(&it, source))?;
    Ok(differences(&signed, &signer.credentials(), entry))
}

/// The bytes of the body.
pub(super) fn body(entry: &IngestLogOut) -> Cow<'_, [u8]> {
    match entry.payload_encoding {
        PayloadEncoding::Text => Cow::Borrowed(entry.payload.as_bytes()),
        PayloadEncoding::Base64 => Cow::Owned(STANDARD.decode(&entry.payload).unwrap_or_default()),
    }
}

/// The headers that differ: those with the signature, and those that are missing. Others, such as
/// ids, differ between any two requests.
fn differences(
    signed: &SignedRequest,
    credentials: &[String],
    entry: &IngestLogOut,
) -> Vec<Difference> {
    let difference = |(name, valid): &(String, String)| {
        let name = name.to_ascii_lowercase();
        let received = entry.headers.get(&name).cloned();
        Difference { received, valid: valid.clone(), name }
    };
    let matters = |it: &Difference| {
        let is_credential = credentials.is_empty() || credentials.contains(&it.name);
        let differs = it.received.as_ref() != Some(&it.valid);
        !it.name.starts_with("content-") && differs && (is_credential || it.received.is_none())
    };
    signed.headers.iter().map(difference).filter(matters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_signatures_and_missing_headers_are_differences() {
        let entry: IngestLogOut = serde_json::from_value(json!({
            "id": "log01m8ewj8kxe00b4bbx0x8en9t4", "source_id": "src_01m8ev56fze009kajsx8p2f640",
            "status_code": 401, "error_text": "no signature matches", "method": "POST",
            "target": "/in/", "payload": "{}", "payload_encoding": "text",
            "headers": { "x-sig": "wrong", "x-id": "1", "content-type": "text/plain" },
            "created_at": "2026-11-27T15:49:33Z", "updated_at": "2026-11-27T15:49:33Z",
        }))
        .unwrap();
        let headers = [("X-Sig", "right"), ("X-Id", "2"), ("X-Time", "3"), ("Content-Type", "a/b")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let signed = SignedRequest { headers, ..SignedRequest::default() };
        let found = differences(&signed, &["x-sig".to_owned()], &entry);
        let names: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.received.is_some())).collect();
        assert_eq!(names, [("x-sig", true), ("x-time", false)]);
    }
}
