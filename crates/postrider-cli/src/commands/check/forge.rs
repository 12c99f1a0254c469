//! Requests that a receiver must refuse, made of genuine ones.

use postrider::provider::Signed;

/// Places that are tried before it is said that no change matters.
const MOST_PLACES: usize = 512;

/// The request with one letter or digit of its body changed so that it is refused; `None` if
/// no change matters. A body that is JSON stays JSON.
pub(crate) fn tampered(signed: &Signed, is_refused: impl Fn(&Signed) -> bool) -> Option<Signed> {
    let is_json = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).is_ok();
    let was_json = is_json(&signed.body);
    let places = signed.body.iter().enumerate().rev();
    let places = places.filter(|(_, byte)| byte.is_ascii_alphanumeric());
    places.take(MOST_PLACES).find_map(|(place, byte)| {
        let mut forged = signed.clone();
        forged.body[place] = other(*byte);
        (is_json(&forged.body) == was_json && is_refused(&forged)).then_some(forged)
    })
}

/// Another one of its kind.
const fn other(byte: u8) -> u8 {
    match byte {
        b'1' => b'2',
        b'a' => b'b',
        b'A' => b'B',
        _ if byte.is_ascii_digit() => b'1',
        _ if byte.is_ascii_lowercase() => b'a',
        _ => b'A',
    }
}

/// The request without what carries its signature; `None` if it stands in the body, or nothing
/// is signed.
pub(crate) fn unsigned(signed: &Signed, is_refused: impl Fn(&Signed) -> bool) -> Option<Signed> {
    let without = |name: &str| {
        let headers = signed.headers.iter().filter(|(it, _)| it != name).cloned().collect();
        Signed { headers, ..signed.clone() }
    };
    let mut names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.retain(|it| !it.eq_ignore_ascii_case("content-type"));
    // The one that is called a signature first.
    names.sort_by_key(|it| !it.to_ascii_lowercase().contains("sign"));
    let bare = || {
        let (url, _) = signed.url.split_once('?')?;
        Some(Signed { url: url.to_owned(), ..signed.clone() })
    };
    let candidates = names.into_iter().map(without);
    candidates.chain(std::iter::once_with(bare).flatten()).find(|it| is_refused(it))
}

/// The genuine request with the signatures of the other one before its own, if its header is a
/// list in which signatures have a name.
pub(crate) fn rotated(
    genuine: &Signed,
    other: &Signed,
    header: &str,
    separator: &str,
) -> Option<Signed> {
    let value = |signed: &Signed| {
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
    let mut rotated = genuine.clone();
    let field = rotated.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(header))?;
    field.1 = joined;
    Some(rotated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &str, signature: &str) -> Signed {
        Signed {
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
    fn a_tampered_body_says_something_else_in_the_same_form() {
        let genuine = signed(r#"{"paid":true,"amount":100}"#, "s");
        let forged = tampered(&genuine, |_| true).unwrap();
        assert_eq!(forged.body, br#"{"paid":true,"amount":101}"#);
        let forged = tampered(&genuine, |it| !it.body.starts_with(br#"{"paid":true"#)).unwrap();
        assert_eq!(forged.body, br#"{"paia":true,"amount":100}"#);
        assert_eq!(tampered(&genuine, |_| false), None);
    }

    #[test]
    fn what_carries_the_signature_is_left_out() {
        let genuine = signed("{}", "s");
        let lacks = |it: &Signed| !it.headers.iter().any(|(name, _)| name == "X-Signature");
        let bare = unsigned(&genuine, lacks).unwrap();
        assert_eq!(bare.headers.len(), 2);
        let bare = unsigned(&genuine, |it| !it.url.contains("token")).unwrap();
        assert_eq!(bare.url, "http://a.test/");
        assert_eq!(unsigned(&genuine, |_| false), None);
    }

    #[test]
    fn two_signatures_stand_in_one_header() {
        let (new, old) = (signed("{}", "t=1,v1=new"), signed("{}", "t=1,v1=old"));
        let rotated = rotated(&new, &old, "x-signature", ",").unwrap();
        assert_eq!(rotated.headers[2].1, "t=1,v1=old,v1=new");
    }
}
