//! Adyen: each item of the batch has its own signature over eight of its fields. The key is in hex.

use serde_json::value::RawValue;

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto, json,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        selector::Path,
        verify::SchemeMatch,
    },
    encode,
    signing::{JSON, SigningContext},
    verifying::{VerifyingContext, malformed, scalar, unambiguous},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let body = unambiguous(context.json()?)?;
    let items: Vec<_> = items(body).collect();
    if items.is_empty() {
        return Err(malformed("body has no notificationItems"));
    }
    for wrapper in json::member(body, "notificationItems").map(json::items).unwrap_or_default() {
        unambiguous(wrapper)?;
    }
    let mut matched = SchemeMatch::default();
    for item in &items {
        let additional = json::member(item, "additionalData");
        for object in additional.into_iter().chain(json::member(item, "amount")).chain([*item]) {
            unambiguous(object)?;
        }
        let signature = additional.and_then(|it| json::member(it, "hmacSignature"));
        let signature = signature
            .and_then(json::text)
            .ok_or_else(|| VerifyError::Missing("json:additionalData.hmacSignature".to_owned()))?;
        let signature =
            decode_base64(&signature).ok_or_else(|| malformed("hmacSignature is not base64"))?;
        let contents = [content(item, str::to_owned), content(item, escaped)];
        let of_item = context.matching(|secret| {
            let key = decode_hex(secret).ok_or("it is not hex")?;
            let is = |content: &String| crypto::equal(&hmac(&key, content), &signature);
            Ok(contents.iter().fold(false, |found, it| is(it) | found))
        })?;
        matched.secret = matched.secret.or(of_item.secret);
    }
    let code = |item: &&RawValue| scalar(item, "eventCode");
    matched.event_type = items.first().map(code);
    let id = |item: &&RawValue| format!("{}:{}", code(item), scalar(item, "pspReference"));
    matched.event_id = Some(items.iter().map(id).collect::<Vec<_>>().join(","));
    Ok(matched)
}

fn items(body: &RawValue) -> impl Iterator<Item = &RawValue> {
    let list = json::member(body, "notificationItems").map(json::items).unwrap_or_default();
    list.into_iter().map(|it| json::member(it, "NotificationRequestItem").unwrap_or(it))
}

/// The signed content of an item. Adyen's older libraries escape colons, newer ones do not.
fn content(item: &RawValue, escape: impl Fn(&str) -> String) -> String {
    let of = |name: &str| scalar(item, name);
    let amount = json::member(item, "amount");
    let of_amount = |name: &str| amount.map(|it| scalar(it, name)).unwrap_or_default();
    let fields = [
        of("pspReference"),
        of("originalReference"),
        of("merchantAccountCode"),
        of("merchantReference"),
        of_amount("value"),
        of_amount("currency"),
        of("eventCode"),
        of("success"),
    ];
    fields.map(|it| escape(&it)).join(":")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

fn hmac(key: &[u8], content: &str) -> Vec<u8> {
    crypto::hmac(Hash::Sha256, key, content.as_bytes())
}

/// Adds a signature to every item of the body.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let key = decode_hex(context.secret()?);
    let key = key.ok_or_else(|| SignError::Secret("it is not hex".to_owned()))?;
    let mut body = context.json()?;
    let list = json::member(&body, "notificationItems").map(json::items).unwrap_or_default();
    if list.is_empty() {
        return Err(SignError::Body("it has no notificationItems".to_owned()));
    }
    let signature = |item: &RawValue| {
        let wrapped = json::member(item, "NotificationRequestItem");
        let content = content(wrapped.unwrap_or(item), str::to_owned);
        (wrapped.is_some(), encode::base64(hmac(&key, &content)))
    };
    let signatures: Vec<_> = list.into_iter().map(signature).collect();
    for (index, (is_wrapped, signature)) in signatures.into_iter().enumerate() {
        let wrapper = if is_wrapped { ".NotificationRequestItem" } else { "" };
        let path = format!("notificationItems.{index}{wrapper}.additionalData.hmacSignature");
        let signed = json::with(&body, &Path::read(&path).0, &json::quoted(&signature));
        body = signed.ok_or_else(|| SignError::Body("an item is not an object".to_owned()))?;
    }
    context.draft.body = body.get().as_bytes().to_vec();
    Ok(context.signed(JSON, &[]))
}
