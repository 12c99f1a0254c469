//! Dropbox Sign: a form whose field `json` contains the event, with a hash over its time and type.
//! The hash does not cover the rest.

use serde_json::value::RawValue;

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto, json, model::Hash, public_key::decode_hex,
        verify::SchemeMatch,
    },
    encode, multipart,
    signing::SigningContext,
    verifying::{VerifyingContext, malformed, scalar, unambiguous},
};

const BOUNDARY: &str = "postrider-7d9f3c2a51e84b06";

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let text = event_text(context)?;
    let body = json::document(&text).map_err(|_| malformed("the event is not JSON"))?;
    let event = json::member(unambiguous(body)?, "event");
    let event = unambiguous(event.ok_or_else(|| VerifyError::Missing("json:event".to_owned()))?)?;
    let field = |name: &str| match scalar(event, name) {
        empty if empty.is_empty() => Err(VerifyError::Missing(format!("json:event.{name}"))),
        text => Ok(text),
    };
    let (time, event_type, hash) =
        (field("event_time")?, field("event_type")?, field("event_hash")?);
    context.check_timestamp(&time, None)?;
    let signature = decode_hex(&hash).ok_or_else(|| malformed("event_hash is not hex"))?;
    let content = format!("{time}{event_type}");
    let matched = context.matching(|secret| {
        let expected = crypto::hmac(Hash::Sha256, secret.as_bytes(), content.as_bytes());
        Ok(crypto::equal(&expected, &signature))
    })?;
    // The form's boundary differs in each attempt.
    let unwrapped = Some(text);
    Ok(SchemeMatch { event_type: Some(event_type), event_id: Some(hash), unwrapped, ..matched })
}

/// The JSON of the event: a form field, or the body itself.
fn event_text(context: &VerifyingContext<'_>) -> Result<Vec<u8>, VerifyError> {
    let content_type = context.request.headers.get("content-type").unwrap_or_default();
    if let Some(boundary) = multipart::boundary(content_type) {
        let field = multipart::field(context.request.body, boundary, "json");
        return field
            .map(<[u8]>::to_vec)
            .ok_or_else(|| VerifyError::Missing("form:json".to_owned()));
    }
    if context.request.body.trim_ascii_start().starts_with(b"{") {
        return Ok(context.request.body.to_vec());
    }
    context.field("json").map(String::into_bytes)
}

/// Adds time and hash to the event and wraps it in a form.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let body = context.json()?;
    let event = json::member(&body, "event").filter(|it| json::kind(it) == json::Kind::Object);
    let event = event.ok_or_else(|| SignError::Body("it has no event".to_owned()))?;
    let of_body = || json::member(event, "event_type").and_then(json::text).map(Into::into);
    let kind = context.draft.event_type.clone().or_else(of_body);
    let kind = kind.ok_or_else(|| SignError::Body("it has no event_type".to_owned()))?;
    let time = context.now_seconds.to_string();
    let content = format!("{time}{kind}");
    let hash = crypto::hmac(Hash::Sha256, context.secret()?.as_bytes(), content.as_bytes());
    let fields = [("event_time", time), ("event_type", kind), ("event_hash", encode::hex(&hash))];
    let put = |event: Box<RawValue>, (name, value): (&str, String)| {
        json::with_member(&event, name, &json::quoted(&value)).expect("an object takes a member")
    };
    let event = fields.into_iter().fold(event.to_owned(), put);
    let body = json::with_member(&body, "event", event.get()).expect("its event was found");
    context.draft.body = multipart::write(BOUNDARY, "json", body.get()).into_bytes();
    Ok(context.signed(&format!("multipart/form-data; boundary={BOUNDARY}"), &[]))
}
