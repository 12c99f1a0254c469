//! Solidgate: HMAC over the body between two copies of the public key, written in hex, and that
//! in base64.

use super::{
    super::{
        CannotSign, Rejected, Signed, crypto,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        verify::Matched,
    },
    case::{Case, malformed},
    making::{JSON, Making},
};

pub(super) fn verify(case: &Case<'_>) -> Result<Matched, Rejected> {
    let merchant = case.header("merchant")?;
    if case.settings.parameter("public_key").is_some_and(|it| it != merchant) {
        return Err(malformed("header:merchant is not the configured public key"));
    }
    let hex = decode_base64(case.header("signature")?).and_then(|it| String::from_utf8(it).ok());
    let signature = hex.as_deref().and_then(decode_hex);
    let signature = signature.ok_or_else(|| malformed("header:signature is not hex in base64"))?;
    case.matching(|secret| {
        Ok(crypto::equal(&hmac(secret, merchant, case.request.body), &signature))
    })
}

fn hmac(secret: &str, merchant: &str, body: &[u8]) -> Vec<u8> {
    let content = [merchant.as_bytes(), body, merchant.as_bytes()].concat();
    crypto::hmac(Hash::Sha512, secret.as_bytes(), &content)
}

pub(super) fn sign(making: Making<'_>) -> Result<Signed, CannotSign> {
    let merchant = making.settings.parameter("public_key").unwrap_or("wh_pk_postrider").to_owned();
    let signature = hmac(making.secret()?, &merchant, &making.draft.body);
    let signature = super::base64(super::hex(&signature));
    Ok(making.signed(JSON, &[("merchant", merchant.as_str()), ("signature", &signature)]))
}
