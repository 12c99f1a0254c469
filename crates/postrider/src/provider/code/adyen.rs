//! Adyen: every item of the batch carries its own signature over eight of its fields. The key is
//! shown in hex.

use serde_json::{Map, Value};

use super::{
    super::{
        CannotSign, Rejected, Signed, crypto,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        verify::Matched,
    },
    case::{Case, malformed, scalar},
    making::{JSON, Making},
};

pub(super) fn verify(case: &Case<'_>) -> Result<Matched, Rejected> {
    let body = case.json()?;
    let items: Vec<_> = items(&body).collect();
    if items.is_empty() {
        return Err(malformed("body holds no notificationItems"));
    }
    let mut matched = Matched::default();
    for item in &items {
        let signature = item.get("additionalData").and_then(|it| it.get("hmacSignature"));
        let signature = signature.and_then(Value::as_str);
        let signature = signature
            .ok_or_else(|| Rejected::Missing("json:additionalData.hmacSignature".to_owned()))?;
        let signature =
            decode_base64(signature).ok_or_else(|| malformed("hmacSignature is not base64"))?;
        let of_item = case.matching(|secret| {
            let key = decode_hex(secret).ok_or("it is not hex")?;
            let is = |content: &str| crypto::equal(&hmac(&key, content), &signature);
            Ok(is(&content(item, str::to_owned)) | is(&content(item, escaped)))
        })?;
        matched.secret = matched.secret.or(of_item.secret);
    }
    let code = |item: &&Value| scalar(item.get("eventCode"));
    matched.event_type = items.first().map(code);
    let id = |item: &&Value| format!("{}:{}", code(item), scalar(item.get("pspReference")));
    matched.event_id = Some(items.iter().map(id).collect::<Vec<_>>().join(","));
    Ok(matched)
}

fn items(body: &Value) -> impl Iterator<Item = &Value> {
    let list = body.get("notificationItems").and_then(Value::as_array);
    list.into_iter().flatten().map(|it| it.get("NotificationRequestItem").unwrap_or(it))
}

/// What is signed of an item. Adyen's older libraries escape colons, the newer ones do not.
fn content(item: &Value, escape: impl Fn(&str) -> String) -> String {
    let amount = item.get("amount");
    let of = |name: &str| item.get(name);
    let fields = [
        of("pspReference"),
        of("originalReference"),
        of("merchantAccountCode"),
        of("merchantReference"),
        amount.and_then(|it| it.get("value")),
        amount.and_then(|it| it.get("currency")),
        of("eventCode"),
        of("success"),
    ];
    fields.map(|it| escape(&scalar(it))).join(":")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

fn hmac(key: &[u8], content: &str) -> Vec<u8> {
    crypto::hmac(Hash::Sha256, key, content.as_bytes())
}

/// Puts the signature into every item of the body.
pub(super) fn sign(mut making: Making<'_>) -> Result<Signed, CannotSign> {
    let key = decode_hex(making.secret()?);
    let key = key.ok_or_else(|| CannotSign::Secret("it is not hex".to_owned()))?;
    let mut body = making.json()?;
    let list = body.get_mut("notificationItems").and_then(Value::as_array_mut);
    let list = list.ok_or_else(|| CannotSign::Body("it has no notificationItems".to_owned()))?;
    for item in list {
        let item = match item.get("NotificationRequestItem") {
            Some(_) => &mut item["NotificationRequestItem"],
            None => item,
        };
        let signature = super::base64(hmac(&key, &content(item, str::to_owned)));
        let item = item.as_object_mut();
        let item = item.ok_or_else(|| CannotSign::Body("an item is not an object".to_owned()))?;
        let additional = item.entry("additionalData").or_insert_with(|| Map::new().into());
        additional["hmacSignature"] = signature.into();
    }
    making.draft.body = body.to_string().into_bytes();
    Ok(making.signed(JSON, &[]))
}
