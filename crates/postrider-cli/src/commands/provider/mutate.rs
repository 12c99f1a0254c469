//! Changes genuine requests so that a receiver must reject them, or must still accept them.

use postrider::provider::SignedRequest;

/// Positions to try before concluding that the signature does not cover the body.
const MAX_POSITIONS: usize = 512;

/// Changes one letter or digit of the body so that the request is rejected; `None` if no change has
/// that effect. A JSON body remains valid JSON.
pub(crate) fn tamper_body(
    signed: &SignedRequest,
    is_rejected: impl Fn(&SignedRequest) -> bool,
) -> Option<SignedRequest> {
    let is_json = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).is_ok();
    let was_json = is_json(&signed.body);
    let positions = signed.body.iter().enumerate().rev();
    let positions = positions.filter(|(_, byte)| byte.is_ascii_alphanumeric());
    positions.take(MAX_POSITIONS).find_map(|(position, byte)| {
        let mut forged = signed.clone();
        forged.body[position] = replacement(*byte);
        (is_json(&forged.body) == was_json && is_rejected(&forged)).then_some(forged)
    })
}

/// Another character of the same kind.
const fn replacement(byte: u8) -> u8 {
    match byte {
        b'1' => b'2',
        b'a' => b'b',
        b'A' => b'B',
        _ if byte.is_ascii_digit() => b'1',
        _ if byte.is_ascii_lowercase() => b'a',
        _ => b'A',
    }
}

/// Removes the header or query that contains the signature; `None` if it is in the body, or the
/// request is not signed.
pub(crate) fn remove_signature(
    signed: &SignedRequest,
    is_rejected: impl Fn(&SignedRequest) -> bool,
) -> Option<SignedRequest> {
    let without = |name: &str| {
        let headers = signed.headers.iter().filter(|(it, _)| it != name).cloned().collect();
        SignedRequest { headers, ..signed.clone() }
    };
    let mut names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|it| !it.eq_ignore_ascii_case("content-type"));
    // Headers whose name contains "sign" are the likeliest.
    names.sort_by_key(|it| !it.to_ascii_lowercase().contains("sign"));
    let without_query = || {
        let (url, _) = signed.url.split_once('?')?;
        Some(SignedRequest { url: url.to_owned(), ..signed.clone() })
    };
    let candidates = names.into_iter().map(without);
    candidates
        .chain(std::iter::once_with(without_query).flatten())
        .find(|request| is_rejected(request))
}

/// Puts the signatures of the other request before those of the genuine one, as a provider does
/// while a secret is rotated. `None` if the header is missing.
pub(crate) fn merge_signatures(
    genuine: &SignedRequest,
    other: &SignedRequest,
    header: &str,
    separator: &str,
) -> Option<SignedRequest> {
    let value = |signed: &SignedRequest| {
        let mut fields = signed.headers.iter();
        fields.find(|(name, _)| name.eq_ignore_ascii_case(header)).map(|(_, value)| value.clone())
    };
    let (first, second) = (value(other)?, value(genuine)?);
    let mut items: Vec<&str> = Vec::new();
    for item in first.split(separator).chain(second.split(separator)).map(str::trim) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let joined = items.join(separator);
    let mut merged = genuine.clone();
    let field = merged.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(header))?;
    field.1 = joined;
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &str, signature: &str) -> SignedRequest {
        SignedRequest {
            method: "POST".to_owned(),
            url: "http://a.test/?token=x".to_owned(),
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-event".to_owned(), "a".to_owned()),
                ("X-Signature".to_owned(), signature.to_owned()),
            ],
            body: body.into(),
        }
    }

    #[test]
    fn a_tampered_body_differs_in_one_character_and_keeps_its_format() {
        let genuine = signed(r#"{"paid":true,"amount":100}"#, "s");
        let forged = tamper_body(&genuine, |_| true).unwrap();
        assert_eq!(forged.body, br#"{"paid":true,"amount":101}"#);
        let forged = tamper_body(&genuine, |it| !it.body.starts_with(br#"{"paid":true"#)).unwrap();
        assert_eq!(forged.body, br#"{"paia":true,"amount":100}"#);
        assert_eq!(tamper_body(&genuine, |_| false), None);
    }

    #[test]
    fn the_header_or_query_with_the_signature_is_removed() {
        let genuine = signed("{}", "s");
        let lacks = |it: &SignedRequest| !it.headers.iter().any(|(name, _)| name == "X-Signature");
        let bare = remove_signature(&genuine, lacks).unwrap();
        assert_eq!(bare.headers.len(), 2);
        let bare = remove_signature(&genuine, |it| !it.url.contains("token")).unwrap();
        assert_eq!(bare.url, "http://a.test/");
        assert_eq!(remove_signature(&genuine, |_| false), None);
    }

    #[test]
    fn signatures_are_merged_into_one_header() {
        let (new, old) = (signed("{}", "t=1,v1=new"), signed("{}", "t=1,v1=old"));
        let merged = merge_signatures(&new, &old, "x-signature", ",").unwrap();
        assert_eq!(merged.headers[2].1, "t=1,v1=old,v1=new");
    }
}
