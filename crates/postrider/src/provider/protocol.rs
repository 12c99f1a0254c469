//! The part of each provider that does not concern signatures: handshakes, responses, and the
//! parameters of its sources.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Acknowledgement, Handshake, Parameter, Provider, RejectionReply};

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
