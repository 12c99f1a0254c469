//! What of a request its signature covers. What it does not cover is anyone's: a request that was
//! recorded can be sent again with another id or type in a header.

use super::super::{
    Expression, Model, Scheme,
    content::{Content, Part},
    jwt,
    model::Signature,
    selector::Selector,
};

/// Whether the scheme signs the request, or at least its body. A recorded request that only
/// carries a secret gives the secret away, so that any other request can be made.
pub(super) fn signs(scheme: &Scheme) -> bool {
    match scheme {
        Scheme::Jwt(it) => it.token == jwt::TokenLocation::Body || it.body_hash.is_some(),
        Scheme::Code(_) => true,
        Scheme::SharedSecret(_) | Scheme::Basic | Scheme::None => false,
        Scheme::Hmac(it)
        | Scheme::Digest(it)
        | Scheme::Ed25519(it)
        | Scheme::Ecdsa(it)
        | Scheme::Rsa(it) => it.content.covers_body(),
    }
}

/// Whether the event can be given another id without touching what is signed, or another type if
/// that takes part in telling events apart.
pub(super) fn has_unsigned_id(scheme: &Scheme, model: &Model) -> bool {
    let is_open = |all: &[Expression]| {
        all.iter().flat_map(|it| &it.terms).any(|source| !covers(scheme, source))
    };
    let type_counts = model.unique_event_id.is_empty() && !model.event_id.is_empty();
    is_open(&model.unique_event_id)
        || is_open(&model.event_id)
        || (type_counts && is_open(&model.event_type))
}

fn covers(scheme: &Scheme, source: &Selector) -> bool {
    match source {
        Selector::Json(_) | Selector::Form(..) | Selector::Key(_) => signs(scheme),
        Selector::Field(_) => true,
        Selector::Header(_) | Selector::Query(_) => {
            scheme.signature().is_some_and(|it| names(it, source))
        },
    }
}

/// Whether the value is itself among what is signed.
fn names(signature: &Signature, source: &Selector) -> bool {
    let content: &Content = &signature.content;
    let is_id = signature.id.as_ref() == Some(source) && content.uses(&Part::Id);
    let is_in_url = matches!(source, Selector::Query(_))
        && [Part::Url, Part::UrlDecoded, Part::PathQuery].iter().any(|it| content.uses(it));
    is_id || is_in_url || content.selectors().any(|it| it == source)
}
