//! Consumers that the operator's configuration file defines.

use postrider::{OrganizationId, Uid, api::ConsumerIn};
use postrider_core::catalog::Consumer;
use postrider_store::{Expected, IdOrUid};

use super::{Upsert, fields, find_if_any};
use crate::{
    api::{error::ApiError, operation::Operation},
    auth::Principal,
    operations::{call::Call, endpoint::declared::Declared, handle::Operations, secrets},
    race,
};

/// A consumer that the operator's configuration file defines. The file wins over what clients have
/// changed, except for what it leaves open.
#[derive(Clone, Debug)]
pub struct DeclaredConsumer {
    pub organization: OrganizationId,
    pub uid: Uid,
    /// Whether it is disabled; if absent, its present state stays.
    pub disabled: Option<bool>,
    /// Everything else.
    pub consumer: ConsumerIn,
}

impl Operations {
    /// Creates a declared consumer, or changes the present one if it differs.
    pub async fn declare_consumer(
        &self,
        declared: &DeclaredConsumer,
    ) -> Result<Declared, ApiError> {
        let organization = declared.organization.clone();
        let principal = Principal::installation(organization);
        let call = self.authorize(&Upsert::declaration(), &principal).await?;
        let try_once = || race::retry(|| try_declare(&call, declared));
        match try_once().await {
            // Another node has just created it.
            Err(ApiError::Conflict { .. }) => try_once().await,
            result => result,
        }
    }
}

async fn try_declare(call: &Call, declared: &DeclaredConsumer) -> Result<Declared, ApiError> {
    let new = fields::build(call, declared.consumer.clone())?;
    let found = find_if_any(call, &IdOrUid::Uid(declared.uid.clone())).await?;
    let (new, expected, outcome) = match found {
        None => (new, Expected::New, Declared::Created),
        Some((old, version)) => {
            let new = merged(call, declared, &old, new)?;
            if new == old {
                return Ok(Declared::Unchanged);
            }
            let new = Consumer { updated_at: call.now, ..new };
            (new, Expected::Version(version), Declared::Updated)
        },
    };
    call.store().save(&new, expected).await?;
    call.resources.consumers.notify();
    Ok(outcome)
}

/// The present consumer with what the file says. What means the same stays as it is stored, so that
/// it can be compared.
pub(super) fn merged(
    call: &Call,
    declared: &DeclaredConsumer,
    old: &Consumer,
    new: Consumer,
) -> Result<Consumer, ApiError> {
    let is_same_config =
        secrets::open_at_rest(call, &old.config)? == secrets::open_at_rest(call, &new.config)?;
    Ok(Consumer {
        id: old.id,
        managed_by: old.managed_by.clone(),
        config: if is_same_config { old.config.clone() } else { new.config },
        disabled: declared.disabled.unwrap_or(old.disabled),
        created_at: old.created_at,
        updated_at: old.updated_at,
        ..new
    })
}
