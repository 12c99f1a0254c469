//! Mandrill: HMAC over the URL and the fields of the form.

use super::{
    super::{
        CannotSign, Rejected, Signed, crypto, model::Hash, public_key::decode_base64,
        verify::Matched,
    },
    case::{Case, malformed},
    making::{FORM, Making},
    url_and_fields,
};

pub(super) fn verify(case: &Case<'_>) -> Result<Matched, Rejected> {
    let signature = decode_base64(case.header("x-mandrill-signature")?);
    let signature =
        signature.ok_or_else(|| malformed("header:x-mandrill-signature is not base64"))?;
    let content = url_and_fields::content(case.request.url, case.form()?, false);
    let matched = case.matching(|secret| Ok(crypto::equal(&hmac(secret, &content), &signature)))?;
    // The order and the encoding of the fields are not signed.
    Ok(Matched { unwrapped: Some(content.into_bytes()), ..matched })
}

fn hmac(secret: &str, content: &str) -> Vec<u8> {
    crypto::hmac(Hash::Sha1, secret.as_bytes(), content.as_bytes())
}

/// Wraps the body, if it is the list of events alone, into the form.
pub(super) fn sign(mut making: Making<'_>) -> Result<Signed, CannotSign> {
    let body = making.text()?;
    let fields = if body.trim_start().starts_with(['[', '{']) {
        vec![("mandrill_events".to_owned(), body.to_owned())]
    } else {
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    };
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let content = url_and_fields::content(&making.draft.url, fields, false);
    let signature = super::base64(hmac(making.secret()?, &content));
    making.draft.body = form.into_bytes();
    Ok(making.signed(FORM, &[("x-mandrill-signature", &signature)]))
}
