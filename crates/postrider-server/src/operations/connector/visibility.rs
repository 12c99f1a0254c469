//! Which connectors a token may see.

use postrider_core::catalog::Connector;

use crate::operations::call::Call;

/// Whether the connector is visible to the principal: it has no flags, or the token has one of
/// them.
pub(in crate::operations) fn shows(call: &Call, connector: &Connector) -> bool {
    let flags = connector.feature_flags.as_deref().unwrap_or_default();
    let Some(application) = &call.principal.grant.application else { return true };
    flags.is_empty() || flags.iter().any(|it| application.feature_flags.contains(it))
}
