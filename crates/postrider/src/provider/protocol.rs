//! What each provider asks and expects, and what its sources take beside secrets: the part of
//! a provider that is not about signatures.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Handshake, Provider, RejectionReply};

/// Something that a source of the provider is given beside its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name among [`Settings::parameters`](super::Settings).
    pub name: String,
    /// What it is and where it comes from, in a line.
    pub description: String,
    /// Whether nothing works without it.
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

/// Adds to the provider what it asks and expects.
pub(super) fn complete(provider: &mut Provider) {
    if let Some(expected) = EXPECTED.get(&provider.id) {
        provider.model.handshakes.clone_from(&expected.handshakes);
        provider.model.acknowledgements.clone_from(&expected.acknowledgements);
        provider.model.refusal = expected.refusal;
        provider.parameters.clone_from(&expected.parameters);
    }
}
