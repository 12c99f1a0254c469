//! What would have been valid: the headers that the provider would have sent.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use postrider::{
    api::{IngestLogOut, IngestSourceOut, SourceSecretsOut, ingest::PayloadEncoding},
    provider::SignedRequest,
};

use super::super::{
    load::provider_name,
    signed::{Signer, explain},
};
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
    let signed = signed.map_err(|it| explain(&it, &provider_name(&source.provider)))?;
    Ok(differences(&signed, entry))
}

/// The bytes of the body.
pub(super) fn body(entry: &IngestLogOut) -> Cow<'_, [u8]> {
    match entry.payload_encoding {
        PayloadEncoding::Text => Cow::Borrowed(entry.payload.as_bytes()),
        PayloadEncoding::Base64 => Cow::Owned(STANDARD.decode(&entry.payload).unwrap_or_default()),
    }
}

/// The headers that differ. The length and type of the content do not matter for verification.
fn differences(signed: &SignedRequest, entry: &IngestLogOut) -> Vec<Difference> {
    let is_of_content = |name: &str| name.to_ascii_lowercase().starts_with("content-");
    let headers = signed.headers.iter().filter(|it| !is_of_content(&it.0));
    headers
        .map(|(name, valid)| Difference {
            name: name.to_ascii_lowercase(),
            received: entry.headers.get(&name.to_ascii_lowercase()).cloned(),
            valid: valid.clone(),
        })
        .filter(|it| it.received.as_ref() != Some(&it.valid))
        .collect()
}
