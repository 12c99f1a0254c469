//! What providers ask before or between deliveries.
//!
//! Handshakes are data, like the rest of a provider: [`Handshake`] says what makes a request one,
//! and what is answered.

mod answer;
mod place;
mod rule;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub use self::{
    answer::{Answer, JsonTemplate, Template},
    place::Place,
    rule::{Condition, Confirm, Digest, Handshake, Key, Test},
};
pub(crate) use self::{
    answer::{count_places, fill},
    place::Asked,
};
use super::{Provider, Rejected, Reply, Request, Settings, Verified, verify};

/// What a request to a source turns out to be.
#[derive(Clone, Debug)]
pub enum Received {
    /// A webhook that is to be believed.
    Event(Verified),
    /// A question that is answered from memory; there is no event.
    Handshake(Reply),
    /// The provider hands over the secret that it will sign with: keep it, then answer.
    Secret {
        /// The secret.
        secret: Zeroizing<String>,
        /// The answer.
        reply: Reply,
    },
    /// The provider wants this URL called (`GET`, through the address guard), then an answer.
    /// The request was verified, and the host is on the provider's list.
    Confirm {
        /// The URL to call.
        url: String,
        /// The answer.
        reply: Reply,
    },
}

/// Tells handshakes from webhooks, verifies, and says what to do. Handshakes that the provider
/// signs are verified first.
pub fn receive(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    now_seconds: u64,
) -> Result<Received, Rejected> {
    let mut asked = Asked::new(settings, request);
    if let Some(handshake) = find(provider, &asked, false) {
        return answer(handshake, &mut asked);
    }
    if asked.work.is_spent() {
        return Err(Rejected::TooMuchWork);
    }
    if !matches!(request.method, "POST" | "PUT") {
        return Err(Rejected::Method);
    }
    let verified = verify(provider, settings, request, now_seconds)?;
    match find(provider, &asked, true) {
        Some(handshake) => answer(handshake, &mut asked),
        None if asked.work.is_spent() => Err(Rejected::TooMuchWork),
        None => Ok(Received::Event(verified)),
    }
}

/// What the handshake asks for, unless finding it out, or that it is one, took too much work.
fn answer(handshake: &Handshake, asked: &mut Asked<'_>) -> Result<Received, Rejected> {
    let received = handshake.answer(asked);
    if asked.work.is_spent() { Err(Rejected::TooMuchWork) } else { received }
}

fn find<'a>(provider: &'a Provider, asked: &Asked<'_>, signed: bool) -> Option<&'a Handshake> {
    provider.model.handshakes.iter().find(|it| it.signed == signed && it.is(asked))
}
