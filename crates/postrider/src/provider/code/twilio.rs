//! Twilio: HMAC over the URL and the form fields. If the body is not a form, the URL contains a
//! hash of the body, and no fields are signed.

use super::{
    super::{
        Request, SignError, SignedRequest, VerifyError, crypto,
        model::Hash,
        public_key::{decode_base64, decode_hex},
        verify::SchemeMatch,
    },
    encode,
    signing::{FORM, JSON, SigningContext},
    url_and_fields,
    verifying::{VerifyingContext, malformed},
};

const BODY_HASH: &str = "bodySHA256";

pub(super) fn verify(context: &VerifyingContext<'_>) -> Result<SchemeMatch, VerifyError> {
    let signature = decode_base64(context.header("x-twilio-signature")?);
    let signature =
        signature.ok_or_else(|| malformed("header:x-twilio-signature is not base64"))?;
    let fields = match body_hash(context.request) {
        Some(expected) => {
            let hash = crypto::digest(Hash::Sha256, context.request.body);
            if !decode_hex(&expected).is_some_and(|it| crypto::equal(&hash, &it)) {
                return Err(VerifyError::Signature);
            }
            Vec::new()
        },
        None => context.form()?,
    };
    let contents: Vec<_> = spellings(context.request.url)
        .iter()
        .map(|it| url_and_fields::content(it, fields.clone(), true))
        .collect();
    let matched = context.matching(|secret| {
        let is = |it: &String| crypto::equal(&hmac(secret, it), &signature);
        Ok(contents.iter().fold(false, |found, it| is(it) | found))
    })?;
    // The order and encoding of the fields are not signed.
    let unwrapped = contents.into_iter().next().map(String::into_bytes);
    Ok(SchemeMatch { unwrapped, ..matched })
}

fn body_hash(request: &Request<'_>) -> Option<String> {
    let (_, query) = request.url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == BODY_HASH).map(|(_, value)| value.into_owned())
}

/// The URL as it is, without its port, and with the default port: Twilio signs any of these.
fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return spellings };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let is_port = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if let Some((host, _)) = authority.rsplit_once(':').filter(|(_, port)| is_port(port)) {
        spellings.push(format!("{scheme}://{host}{rest}"));
    } else {
        let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        spellings.push(format!("{scheme}://{authority}:{port}{rest}"));
    }
    spellings
}

fn hmac(secret: &str, content: &str) -> Vec<u8> {
    crypto::hmac(Hash::Sha1, secret.as_bytes(), content.as_bytes())
}

/// A form is signed field by field, JSON by its hash in the URL.
pub(super) fn sign(mut context: SigningContext<'_>) -> Result<SignedRequest, SignError> {
    let is_json = context.text()?.trim_start().starts_with(['{', '[']);
    let fields = if is_json {
        let hash = encode::hex(&crypto::digest(Hash::Sha256, &context.draft.body));
        let separator = if context.draft.url.contains('?') { '&' } else { '?' };
        context.draft.url = format!("{}{separator}{BODY_HASH}={hash}", context.draft.url);
        Vec::new()
    } else {
        form_urlencoded::parse(&context.draft.body).into_owned().collect()
    };
    let content = url_and_fields::content(&context.draft.url, fields, true);
    let signature = encode::base64(hmac(context.secret()?, &content));
    let content_type = if is_json { JSON } else { FORM };
    Ok(context.signed(content_type, &[("x-twilio-signature", &signature)]))
}

#[cfg(test)]
mod tests {
    use super::spellings;

    #[test]
    fn a_url_has_a_spelling_with_a_port_and_one_without() {
        for (url, other) in [
            ("https://a.example/p?q=1", "https://a.example:443/p?q=1"),
            ("http://a.example/p", "http://a.example:80/p"),
            ("http://a.example", "http://a.example:80"),
            ("https://a.example:8443/p:1", "https://a.example/p:1"),
            ("https://user:word@a.example/p", "https://user:word@a.example:443/p"),
            ("https://user:7@a.example:1/p", "https://user:7@a.example/p"),
            ("https://[::1]:8443/p", "https://[::1]/p"),
            ("https://a.example?q=a:1", "https://a.example:443?q=a:1"),
        ] {
            assert_eq!(spellings(url), [url, other]);
        }
        assert_eq!(spellings("/p"), ["/p"]);
    }
}
