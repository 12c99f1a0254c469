//! On whose behalf the sender resolves names and opens connections.

use postrider::{ApplicationId, EndpointId};

/// On whose behalf a name is looked up; each has a share of the lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LookupGroup {
    Application(ApplicationId),
    /// Keys that received webhooks are verified with.
    Keys,
    Proxy,
}

/// On whose behalf a connection is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub group: LookupGroup,
    pub endpoint: Option<EndpointId>,
}
