//! The part of each provider that does not concern signatures: handshakes, responses, and the
//! parameters of its sources.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Handshake, Provider, RejectionReply};

/// A parameter of a provider's sources.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The name in [`Settings::parameters`](super::Settings).
    pub name: String,
    /// What it is and where it comes from, in one line.
    pub description: String,
    /// Whether it is required.
    #[serde(default)]
    pub required: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    handshakes: Vec<Handshake>,
    acknowledgements: Vec<Acknowledgement>,
    refusal: RejectionReply,
    parameters: Vec<Parameter>,
}

static EXPECTED: LazyLock<BTreeMap<String, Expected>> = LazyLock::new(|| {
    let json = include_str!("../../data/handshakes.json");
    serde_json::from_str(json).expect("a test reads the handshakes")
});

/// Adds handshakes, responses and parameters to the provider.
pub(super) fn complete(provider: &mut Provider) {
    if let Some(expected) = EXPECTED.get(&provider.id) {
        provider.model.handshakes.clone_from(&expected.handshakes);
        provider.model.acknowledgements.clone_from(&expected.acknowledgements);
        provider.model.refusal = expected.refusal;
        provider.parameters.clone_from(&expected.parameters);
    }
}
