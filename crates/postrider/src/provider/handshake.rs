//! Handshakes: requests that a provider sends before or between deliveries.
//!
//! Handshakes are data, like the rest of a provider: a [`Handshake`] says which requests it matches
//! and how to respond.

mod context;
mod rule;
mod template;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub use self::{
    context::Location,
    rule::{Condition, Confirm, Digest, Handshake, Key, Test},
    template::{JsonTemplate, ReplyTemplate, Template},
};
pub(crate) use self::{
    context::RequestContext,
    template::{count_placeholders, fill_placeholders},
};
use super::{Provider, Reply, Request, Settings, Verified, VerifyError, verify};

/// The result of [`receive`].
#[derive(Clone, Debug)]
pub enum Received {
    /// A verified webhook.
    Event(Verified),
    /// A handshake: send the reply. There is no event.
    Handshake(Reply),
    /// The provider hands over the secret that it will sign with: store it, then send the reply.
    Secret {
        /// The secret.
        secret: Zeroizing<String>,
        /// The reply to send.
        reply: Reply,
    },
    /// The provider asks for a call to this URL (`GET`, through the address guard): make it, then
    /// send the reply. The request was verified, and the host is on the provider's list.
    Confirm {
        /// The URL to call.
        url: String,
        /// The reply to send.
        reply: Reply,
    },
}

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
