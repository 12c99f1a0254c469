//! Solidgate: HMAC over the body between two copies of the public key, as base64 of the hex digest.

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        verify::SchemeMatch,
    },
    encode,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let merchant = context.header("merchant")?;
    if context.settings.parameter("public_key").is_some_and(|it| it != merchant) {
        return Err(malformed("header:merchant is not the configured public key"));
    }
    let hex = decode_base64(context.header("signature")?).and_then(|it| String::from_utf8(it).ok());
    let signature = hex.as_deref().and_then(decode_hex);
    let signature = signature.ok_or_else(|| malformed("header:signature is not hex in base64"))?;
    context.matching(|secret| {
        Ok(crypto::equal(&hmac(secret, merchant, context.request.body), &signature))
    })
}

fn hmac(secret: &str, merchant: &str, body: &[u8]) -> Vec<u8> {
    let content = [merchant.as_bytes(), body, merchant.as_bytes()].concat();
    crypto::hmac(Hash::Sha512, secret.as_bytes(), &content)
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let merchant = context.settings.parameter("public_key").unwrap_or("wh_pk_postrider").to_owned();
    let signature = hmac(context.secret()?, &merchant, &context.draft.body);
    let signature = encode::base64(encode::hex(&signature));
    Ok(context.signed(JSON, &[("merchant", merchant.as_str()), ("signature", &signature)]))
}
