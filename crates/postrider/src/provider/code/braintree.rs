//! Braintree: a form with base64-encoded XML and signatures over it. The key is the hash of the
//! API's private key.

use super::{
    super::{
        SignError, SignedRequest, VerifyError, crypto,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        verify::SchemeMatch,
    },
    encode,
    signing::{FORM, SigningContext},
    verifying::{VerifyingContext, malformed},
};

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let (signatures, payload) = (context.field("bt_signature")?, context.field("bt_payload")?);
    let payload = payload.as_str();
    let candidates = candidates(&signatures, context.settings.parameter("public_key"));
    if candidates.is_empty() {
        return Err(malformed("form:bt_signature has no signature for the public key"));
    }
    let mut matched = context.matching(|secret| {
        // The signed line ending may have been lost in the form.
        let [whole, line] = [payload, &format!("{payload}\n")].map(|it| hmac(secret, it));
        let is = |it: &Vec<u8>| crypto::equal(&whole, it) | crypto::equal(&line, it);
        Ok(candidates.iter().fold(false, |found, it| is(it) | found))
    })?;
    let xml = decode_base64(payload).and_then(|it| String::from_utf8(it).ok());
    let xml = xml.ok_or_else(|| malformed("form:bt_payload is not XML in base64"))?;
    matched.event_type = element(&xml, "kind").map(str::to_owned);
    matched.event_id = event_id(&xml);
    // The form itself and the list of signatures are not signed.
    matched.unwrapped = Some(xml.into_bytes());
    Ok(matched)
}

/// The signatures for this public key, or all of them.
fn candidates(signatures: &str, public_key: Option<&str>) -> Vec<Vec<u8>> {
    let pairs = signatures.split('&').filter_map(|it| it.split_once('|'));
    let ours = pairs.filter(|(key, _)| public_key.is_none_or(|it| it == *key));
    ours.filter_map(|(_, signature)| decode_hex(signature.trim())).collect()
}

fn hmac(private_key: &str, payload: &str) -> Vec<u8> {
    let key = crypto::digest(Hash::Sha1, private_key.as_bytes());
    crypto::hmac(Hash::Sha1, &key, payload.as_bytes())
}

/// Notifications have no id. Their time in seconds and the id of their subject distinguish them
/// well enough; without a subject's id there is none.
fn event_id(xml: &str) -> Option<String> {
    let (_, subject) = xml.split_once("<subject")?;
    let (kind, timestamp) = (element(xml, "kind")?, element(xml, "timestamp")?);
    Some(format!("{kind}:{timestamp}:{}", element(subject, "id")?))
}

/// The text of the first element with this name. The XML is verified to be Braintree's, is flat
/// where it is read, and has no entities there, so a parser would find the same text.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    xml.match_indices(&format!("<{name}")).find_map(|(at, _)| {
        let (attributes, rest) = xml.get(at..)?.split_once('>')?;
        let tag = attributes.split(' ').next()?;
        let (text, _) = rest.split_once("</")?;
        (tag.strip_prefix('<') == Some(name) && !text.contains('<')).then_some(text.trim())
    })
}

/// Wraps the XML body in a form.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let public_key = context.parameter("public_key")?;
    let payload = format!("{}\n", encode::base64(&context.draft.body));
    let signature = encode::hex(&hmac(context.secret()?, &payload));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("bt_signature", &format!("{public_key}|{signature}"));
    form.append_pair("bt_payload", &payload);
    context.draft.body = form.finish().into_bytes();
    Ok(context.signed(FORM, &[]))
}
