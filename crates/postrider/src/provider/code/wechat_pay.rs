//! WeChat Pay: RSA with one of the platform's keys. All keys in use are secrets. The content of a
//! notification is also encrypted.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};

use super::{
    super::{
        PublicKey, SignError, SignedHash, SignedRequest, VerifyError, json,
        public_key::decode_base64, verify::SchemeMatch,
    },
    encode,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed},
};

const TOLERANCE: u64 = 300;

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let signature = decode_base64(context.header("wechatpay-signature")?);
    let signature =
        signature.ok_or_else(|| malformed("header:wechatpay-signature is not base64"))?;
    let (time, nonce) =
        (context.header("wechatpay-timestamp")?, context.header("wechatpay-nonce")?);
    context.check_timestamp(time, Some(TOLERANCE))?;
    let content = content(time, nonce, context.request.body);
    context.matching(|secret| {
        let key: PublicKey = secret.parse().map_err(|it| format!("it {it}"))?;
        Ok(key.verifies(SignedHash::Sha256, &content, &signature))
    })
}

fn content(time: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    [format!("{time}\n{nonce}\n").as_bytes(), body, b"\n"].concat()
}

/// Decrypts the `resource` of a WeChat Pay notification with the API v3 key. Returns `None` if the
/// key is wrong. Verify the notification first.
pub fn decrypt_wechat_pay(api_v3_key: &str, body: &[u8]) -> Option<Vec<u8>> {
    let resource = json::member(json::document(body).ok()?, "resource")?;
    let text = |name: &str| json::member(resource, name).and_then(json::text);
    let nonce = text("nonce")?;
    let nonce: &[u8; 12] = nonce.as_bytes().try_into().ok()?;
    let message = decode_base64(&text("ciphertext")?)?;
    let associated = text("associated_data").unwrap_or_default();
    let cipher = Aes256Gcm::new_from_slice(api_v3_key.as_bytes()).ok()?;
    cipher.decrypt(nonce.into(), Payload { msg: &message, aad: associated.as_bytes() }).ok()
}

pub(super) fn sign(context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = context.key()?;
    let time = context.now_seconds.to_string();
    let nonce = context.draft.event_id.clone().unwrap_or_else(|| "ea9c1fa1".to_owned());
    let signature = key.sign(SignedHash::Sha256, &content(&time, &nonce, &context.draft.body));
    let signature = encode::base64(signature);
    let serial = context.settings.parameter("serial").unwrap_or("PUB_KEY_ID_0000").to_owned();
    let headers = [
        ("wechatpay-timestamp", time.as_str()),
        ("wechatpay-nonce", &nonce),
        ("wechatpay-signature", &signature),
        ("wechatpay-serial", &serial),
    ];
    Ok(context.signed(JSON, &headers))
}
