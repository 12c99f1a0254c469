//! What is answered to a provider.

use serde::{Deserialize, Serialize};

use super::{
    Provider, Request, Settings, code,
    handshake::{Answer, Asked, Condition},
};

/// An answer to a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers, `content-type` among them if there is a body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is answered to an event, if it is this kind of event.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// What must hold for the event: all of it.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// What is answered.
    pub reply: Answer,
}

/// What is answered to whoever is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
}

impl Default for Refusal {
    fn default() -> Self {
        Self { status: 401 }
    }
}

/// What the provider expects once its webhook is durable; an empty 200 if it does not say.
pub fn acknowledge(
    provider: &Provider,
    settings: &Settings,
    request: &Request<'_>,
    _now_seconds: u64,
) -> Reply {
    if let Some(reply) = code::acknowledge(&provider.model.verify, settings, request) {
        return reply;
    }
    let asked = Asked::new(settings, request);
    let fitting = |it: &&Acknowledgement| it.when.iter().all(|it| it.holds(&asked).is_ok());
    let found = provider.model.acknowledgements.iter().find(fitting);
    found
        .and_then(|it| it.reply.reply(&asked).ok())
        .unwrap_or(Reply { status: 200, ..Reply::default() })
}

/// What the provider gets for a request that is not believed: the same for every reason.
pub fn refuse(provider: &Provider) -> Reply {
    Reply { status: provider.model.refusal.status, ..Reply::default() }
}
