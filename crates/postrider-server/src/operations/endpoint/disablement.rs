//! The record of why an endpoint is disabled.

use postrider_core::catalog::{DisableReason, DisabledBy, Disablement, Endpoint};

use crate::operations::call::Call;

/// The endpoint is disabled because the caller asks for it.
pub(super) fn requested(call: &Call) -> Disablement {
    let is_application = call.principal.grant.application.is_some();
    let by = if is_application { DisabledBy::Application } else { DisabledBy::Organization };
    Disablement { reason: DisableReason::Requested, by, at: call.now }
}

/// The changed endpoint with the reason for which it is disabled. An endpoint that was disabled
/// already keeps the reason that it has.
pub(super) fn noted(call: &Call, old: &Endpoint, new: &Endpoint) -> Endpoint {
    let disablement = match (old.disabled, new.disabled) {
        (_, false) => None,
        (true, true) => old.disablement,
        (false, true) => Some(requested(call)),
    };
    Endpoint { disablement, ..new.clone() }
}
