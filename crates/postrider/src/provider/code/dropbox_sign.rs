//! Dropbox Sign: a form whose field `json` is the event, with a hash over its time and its type.
//! The hash does not cover the rest.

use serde_json::value::RawValue;

use super::{
    super::{
        CannotSign, Rejected, Signed, crypto, json, model::Hash, public_key::decode_hex,
        verify::Matched,
    },
    case::{Case, malformed, scalar, unambiguous},
    making::Making,
    multipart,
};

const BOUNDARY: &str = "postrider-7d9f3c2a51e84b06";

pub(super) fn verify(case: &Case<'_>) -> Result<Matched, Rejected> {
    let text = event_text(case)?;
    let body = json::document(&text).map_err(|_| malformed("the event is not JSON"))?;
    let event = json::member(unambiguous(body)?, "event");
    let event = unambiguous(event.ok_or_else(|| Rejected::Missing("json:event".to_owned()))?)?;
    let field = |name: &str| match scalar(event, name) {
        empty if empty.is_empty() => Err(Rejected::Missing(format!("json:event.{name}"))),
        text => Ok(text),
    };
    let (time, event_type, hash) =
        (field("event_time")?, field("event_type")?, field("event_hash")?);
    case.fresh(&time, None)?;
    let signature = decode_hex(&hash).ok_or_else(|| malformed("event_hash is not hex"))?;
    let content = format!("{time}{event_type}");
    let matched = case.matching(|secret| {
        let expected = crypto::hmac(Hash::Sha256, secret.as_bytes(), content.as_bytes());
        Ok(crypto::equal(&expected, &signature))
    })?;
    // The boundary of the form is another one in each attempt.
    let unwrapped = Some(text);
    Ok(Matched { event_type: Some(event_type), event_id: Some(hash), unwrapped, ..matched })
}

/// The event's JSON: a field of the form, or the body itself.
fn event_text(case: &Case<'_>) -> Result<Vec<u8>, Rejected> {
    let content_type = case.request.headers.get("content-type").unwrap_or_default();
    if let Some(boundary) = multipart::boundary(content_type) {
        let field = multipart::field(case.request.body, boundary, "json");
        return field.map(<[u8]>::to_vec).ok_or_else(|| Rejected::Missing("form:json".to_owned()));
    }
    if case.request.body.trim_ascii_start().starts_with(b"{") {
        return Ok(case.request.body.to_vec());
    }
    case.field("json").map(String::into_bytes)
}

/// Puts time and hash into the event and wraps it into the form.
pub(super) fn sign(mut making: Making<'_>) -> Result<Signed, CannotSign> {
    let body = making.json()?;
    let event = json::member(&body, "event").filter(|it| json::kind(it) == json::Kind::Object);
    let event = event.ok_or_else(|| CannotSign::Body("it has no event".to_owned()))?;
    let of_body = || json::member(event, "event_type").and_then(json::text).map(Into::into);
    let kind = making.draft.event_type.clone().or_else(of_body);
    let kind = kind.ok_or_else(|| CannotSign::Body("it has no event_type".to_owned()))?;
    let time = making.now_seconds.to_string();
    let content = format!("{time}{kind}");
    let hash = crypto::hmac(Hash::Sha256, making.secret()?.as_bytes(), content.as_bytes());
    let fields = [("event_time", time), ("event_type", kind), ("event_hash", super::hex(&hash))];
    let put = |event: Box<RawValue>, (name, value): (&str, String)| {
        json::with_member(&event, name, &json::quoted(&value)).expect("an object takes a member")
    };
    let event = fields.into_iter().fold(event.to_owned(), put);
    let body = json::with_member(&body, "event", event.get()).expect("its event was found");
    making.draft.body = multipart::write(BOUNDARY, "json", body.get()).into_bytes();
    Ok(making.signed(&format!("multipart/form-data; boundary={BOUNDARY}"), &[]))
}
