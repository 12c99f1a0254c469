//! Limits of what an organization can have.

use postrider::OrganizationId;
use postrider_store::{Record, Records, Scan};

use super::call::Call;
use crate::api::error::ApiError;

/// Refuses another record if the organization has this many of them. Parallel requests may exceed
/// the limit by a few.
pub(super) async fn require_room<R: Record<Parent = OrganizationId>>(
    call: &Call,
    most: usize,
    plural: &str,
) -> Result<(), ApiError> {
    let first = Scan { after: None, ascending: true, limit: most };
    let found = call.store().list::<R>(call.organization(), first).await?;
    // A list may end before its limit, where its records are large.
    if found.items.len() >= most || found.resume.is_some() {
        let message = format!("the organization has {most} {plural} already");
        return Err(ApiError::invalid(&["body"], message));
    }
    Ok(())
}
