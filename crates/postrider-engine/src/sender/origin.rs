//! On whose behalf the sender resolves names and opens connections.

use postrider::{ApplicationId, EndpointId};
use postrider_core::target::Target;

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

impl Origin {
    /// An endpoint, or a queue source if there is none.
    pub(super) fn of(target: Option<&Target>) -> Self {
        match target {
            Some(target) => Self {
                group: LookupGroup::Application(target.application),
                endpoint: Some(target.endpoint),
            },
            None => Self { group: LookupGroup::Consumers, endpoint: None },
        }
    }
}
