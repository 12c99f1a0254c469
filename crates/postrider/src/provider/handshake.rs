//! Handshakes: requests that a provider sends before or between deliveries.
//!
//! Handshakes are data, like the rest of a provider: a [`Handshake`] says which requests it matches
//! and how to respond.

mod context;
mod received;
mod rule;
mod template;
#[cfg(test)]
mod tests;

pub use self::{
    context::Location,
    received::Received,
    rule::{Acknowledgement, Condition, Confirm, Digest, Handshake, Key, Test},
    template::{JsonTemplate, ReplyTemplate, Template},
};
pub(crate) use self::{
    context::RequestContext,
    template::{count_placeholders, fill_placeholders},
};
use super::{Provider, Request, Settings, VerifyError, verify};

/// Recognizes handshakes, verifies the request, and says what to do. Handshakes that the provider
/// signs are verified first.
pub fn receive(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Result<Received, VerifyError> {
    let mut context = RequestContext::new(settings, request);
    if let Some(handshake) = find(provider, &context, false) {
        return respond(handshake, &mut context);
    }
    if context.work.is_exhausted() {
        return Err(VerifyError::TooMuchWork);
    }
    if !matches!(request.method, "POST" | "PUT") {
        return Err(VerifyError::Method);
    }
    let verified = verify(provider, settings, request, now_seconds)?;
    match find(provider, &context, true) {
        Some(handshake) => respond(handshake, &mut context),
        None if context.work.is_exhausted() => Err(VerifyError::TooMuchWork),
        None => Ok(Received::Event(verified)),
    }
}

/// Responds to the handshake, unless matching or responding took too much work.
fn respond(
    handshake: &Handshake,
    context: &mut RequestContext<'_>,
) -> Result<Received, VerifyError> {
    let received = handshake.respond(context);
    if context.work.is_exhausted() { Err(VerifyError::TooMuchWork) } else { received }
}

fn find<'a>(
    provider: &'a Provider,
    context: &RequestContext<'_>,
    signed: bool,
) -> Option<&'a Handshake> {
    provider.model.handshakes.iter().find(|it| it.signed == signed && it.is(context))
}
