//! Maximum sizes of a model. The known providers need a fraction of them, and a larger model would
//! only multiply the work per request.

use super::{
    super::{
        Handshake,
        content::{Content, Part},
        expression::Expression,
        jwt::Jwt,
        selector::{Path, Selector},
    },
    InvalidModel, Model, Scheme, Signature,
};

/// Maximum length of a model's text, in bytes.
pub(super) const MAX_TEXT: usize = 32 << 10;

const MAX_SCHEMES: usize = 8;
const MAX_PARTS: usize = 16;
/// How often `content` may contain the body or a hash of it.
const MAX_BODIES: usize = 2;
/// How often all schemes together may contain it.
const MAX_ALL_BODIES: usize = 8;
const MAX_EXPRESSIONS: usize = 16;
const MAX_TERMS: usize = 8;
const MAX_STEPS: usize = 16;
const MAX_HANDSHAKES: usize = 8;
const MAX_ACKNOWLEDGEMENTS: usize = 16;
const MAX_CONDITIONS: usize = 16;
const MAX_PLACEHOLDERS: usize = 16;
const MAX_CLAIMS: usize = 16;
const MAX_NAMES: usize = 16;

/// Checks the size of the model.
pub(super) fn check(model: &Model) -> Result<(), InvalidModel> {
    within("verify", "schemes", model.verify.len(), MAX_SCHEMES)?;
    for scheme in &model.verify {
        match scheme {
            Scheme::Jwt(jwt) => check_jwt(jwt)?,
            Scheme::SharedSecret(it) => check_selector(&it.source)?,
            Scheme::Hmac(_)
            | Scheme::Digest(_)
            | Scheme::Ed25519(_)
            | Scheme::Ecdsa(_)
            | Scheme::Rsa(_)
            | Scheme::Basic
            | Scheme::None
            | Scheme::Code(_) => scheme.signature().map_or(Ok(()), check_signature)?,
        }
    }
    let contents = model.verify.iter().filter_map(Scheme::signature).map(|it| &it.content);
    let bodies = contents.map(bodies).sum();
    within("verify", "bodies in all contents", bodies, MAX_ALL_BODIES)?;
    for (name, expressions) in [
        ("event_type", &model.event_type),
        ("unique_event_id", &model.unique_event_id),
        ("event_id", &model.event_id),
    ] {
        check_expressions(name, expressions)?;
    }
    within("handshakes", "items", model.handshakes.len(), MAX_HANDSHAKES)?;
    model.handshakes.iter().try_for_each(check_handshake)?;
    let acknowledgements = &model.acknowledgements;
    within("acknowledgements", "items", acknowledgements.len(), MAX_ACKNOWLEDGEMENTS)?;
    for acknowledgement in acknowledgements {
        within("acknowledgements", "conditions", acknowledgement.when.len(), MAX_CONDITIONS)?;
        within(
            "acknowledgements",
            "placeholders in a reply",
            acknowledgement.reply.placeholder_count(),
            MAX_PLACEHOLDERS,
        )?;
    }
    Ok(())
}

fn within(
    name: &'static str,
    of: &'static str,
    count: usize,
    most: usize,
) -> Result<(), InvalidModel> {
    if count > most { Err(InvalidModel::TooLarge { name, of, most }) } else { Ok(()) }
}

fn check_signature(it: &Signature) -> Result<(), InvalidModel> {
    within("content", "parts", it.content.parts().len(), MAX_PARTS)?;
    within("content", "bodies", bodies(&it.content), MAX_BODIES)?;
    within("parse", "positional names", it.parse.positional.len(), MAX_NAMES)?;
    let others = it.timestamp.iter().map(|it| &it.source).chain(&it.id);
    [&it.signature]
        .into_iter()
        .chain(others)
        .chain(it.content.selectors())
        .try_for_each(check_selector)
}

/// How often the content contains the body.
fn bodies(content: &Content) -> usize {
    let is_body = |it: &&Part| matches!(it, Part::Body | Part::BodySha256Hex | Part::BodyCrc32);
    content.parts().iter().filter(is_body).count()
}

fn check_expressions(name: &'static str, all: &[Expression]) -> Result<(), InvalidModel> {
    within(name, "expressions", all.len(), MAX_EXPRESSIONS)?;
    for expression in all {
        within(name, "terms", expression.terms.len(), MAX_TERMS)?;
        expression.terms.iter().try_for_each(check_selector)?;
    }
    Ok(())
}

fn check_selector(source: &Selector) -> Result<(), InvalidModel> {
    match source {
        Selector::Json(Path(steps)) | Selector::Form(_, Some(Path(steps))) => {
            within("a selector", "steps", steps.len(), MAX_STEPS)
        },
        Selector::Header(_)
        | Selector::Query(_)
        | Selector::Form(_, None)
        | Selector::Key(_)
        | Selector::Field(_) => Ok(()),
    }
}

fn check_handshake(it: &Handshake) -> Result<(), InvalidModel> {
    within("handshakes", "conditions", it.when.len() + it.require.len(), MAX_CONDITIONS)?;
    let over = it.digest.as_ref().map_or(0, |it| it.over.placeholder_count());
    within(
        "handshakes",
        "placeholders in a reply",
        it.reply.placeholder_count() + over,
        MAX_PLACEHOLDERS,
    )?;
    within("handshakes", "hosts", it.confirm.as_ref().map_or(0, |it| it.hosts.len()), MAX_NAMES)
}

fn check_jwt(it: &Jwt) -> Result<(), InvalidModel> {
    within("claims", "claims", it.claims.len(), MAX_CLAIMS)?;
    within("issuers", "names", it.issuers.len(), MAX_NAMES)?;
    for (name, paths) in [
        ("event_type of jwt", &it.event_type),
        ("unique_event_id of jwt", &it.unique_event_id),
        ("event_id of jwt", &it.event_id),
    ] {
        within(name, "claims", paths.len(), MAX_EXPRESSIONS)?;
    }
    let paths = [&it.event_type, &it.unique_event_id, &it.event_id].into_iter().flatten();
    for path in paths.chain(it.claims.keys()) {
        within("a claim", "steps", path.split('.').count(), MAX_STEPS)?;
    }
    Ok(())
}
