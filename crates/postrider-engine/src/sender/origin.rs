//! On whose behalf the sender resolves names and opens connections.

use postrider::{ApplicationId, EndpointId};

/// On whose behalf a name is looked up. Each group gets a fair share of the lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LookupGroup {
    Application(ApplicationId),
    /// Keys for the verification of received webhooks.
    Keys,
    Proxy,
    /// Queue sources of the operator.
    Consumers,
}

/// On whose behalf a connection is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub group: LookupGroup,
    pub endpoint: Option<EndpointId>,
}
