//! How a provider signs, as data.

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Handshake, Parameter, Refusal};

/// A provider that is known.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Provider {
    /// Its name in URLs and commands: `stripe`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it takes beside secrets.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// How it signs and what it expects.
    #[serde(flatten)]
    pub model: Model,
}

/// How a provider signs and what it expects; also the configuration of a source whose provider
/// is `custom`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Model {
    /// Ways in which it may sign; one that verifies is enough.
    pub verify: Vec<Scheme>,
    /// Where the event's type stands; the first that is there counts.
    pub event_type: Vec<Expression>,
    /// Where the event's id stands.
    pub event_id: Vec<Expression>,
    /// What it asks before or between deliveries.
    pub handshakes: Vec<Handshake>,
    /// What it expects for an event; the first that fits counts, and an empty 200 if none does.
    pub acknowledgements: Vec<Acknowledgement>,
    /// What it expects for a request that is not believed.
    pub refusal: Refusal,
}

/// One way of signing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Scheme {}

/// Where a value stands, such as `json:type` or `header:x-github-event`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Expression(pub String);
