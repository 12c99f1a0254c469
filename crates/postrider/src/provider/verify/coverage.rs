//! Which values of a request its signature covers. An attacker can replay a recorded request with
//! another id or type in an unsigned header.

use super::super::{
    DuplicateRule, Expression, Model, Scheme,
    content::{Content, Part},
    jwt,
    model::Signature,
    selector::Selector,
};

impl Model {
    /// Whether an id or a type that distinguishes events may be unsigned, so that the signed
    /// content has to distinguish them, too.
    pub fn has_unsigned_ids(&self) -> bool {
        let may_count = |it: &&Scheme| signs(it) || self.repeats == DuplicateRule::Never;
        let mut schemes = self.verify.iter().filter(may_count);
        self.repeats != DuplicateRule::SameId && schemes.any(|it| has_unsigned_id(it, self))
    }
}

/// Whether the scheme signs the request, or at least its body. A recorded request that only carries
/// a secret reveals it, so any other request can be forged.
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

/// Whether the id of the event can be changed without touching the signed content, or the type, if
/// it takes part in distinguishing events.
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

/// Whether the value is itself part of the signed content.
fn names(signature: &Signature, source: &Selector) -> bool {
    let content: &Content = &signature.content;
    let is_id = signature.id.as_ref() == Some(source) && content.uses(&Part::Id);
    let is_in_url = matches!(source, Selector::Query(_))
        && [Part::Url, Part::UrlDecoded, Part::PathQuery].iter().any(|it| content.uses(it));
    is_id || is_in_url || content.selectors().any(|it| it == source)
}
