//! Mandrill: HMAC over the URL and the form fields.

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto, model::Hash, public_key::decode_base64,
        verify::SchemeMatch,
    },
    encode,
    signing::{FORM, SigningContext},
    url_and_fields,
    verifying::{VerifyingContext, malformed},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let signature = decode_base64(context.header("x-mandrill-signature")?);
    let signature =
        signature.ok_or_else(|| malformed("header:x-mandrill-signature is not base64"))?;
    let content = url_and_fields::content(context.request.url, context.form()?, false);
    let matched =
        context.matching(|secret| Ok(crypto::equal(&hmac(secret, &content), &signature)))?;
    // The order and encoding of the fields are not signed.
    Ok(SchemeMatch { unwrapped: Some(content.into_bytes()), ..matched })
}

fn hmac(secret: &str, content: &str) -> Vec<u8> {
    crypto::hmac(Hash::Sha1, secret.as_bytes(), content.as_bytes())
}

/// Wraps a body that is only the list of events in a form.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let body = context.text()?;
    let fields = if body.trim_start().starts_with(['[', '{']) {
        vec![("mandrill_events".to_owned(), body.to_owned())]
    } else {
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    };
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let content = url_and_fields::content(&context.draft.url, fields, false);
    let signature = encode::base64(hmac(context.secret()?, &content));
    context.draft.body = form.into_bytes();
    Ok(context.signed(FORM, &[("x-mandrill-signature", &signature)]))
}
