//! Reading and saving many event types at once.

use postrider::{EventTypeName, api::environment::MAX_EVENT_TYPES};
use postrider_core::catalog::EventType;
use postrider_store::{Expected, IdOrUid, LIST_BYTES, Records, Scan, Weight};

use crate::{api::error::ApiError, operations::call::Call, race, settings::SizeLimit};

/// Event types that are read in one call.
const PAGE: usize = 250;

/// All stored event types of the organization, including archived ones.
pub(in crate::operations) async fn all(call: &Call) -> Result<Vec<EventType>, ApiError> {
    let limit =
        SizeLimit { bytes: call.settings().limits.batch_bytes, setting: "limits.batch_request" };
    let mut reserved = call.resources.memory.reserve(call.principal.holder, 0)?;
    let (mut event_types, mut bytes) = (Vec::new(), 0);
    let mut scan = Scan { after: None, ascending: true, limit: PAGE };
    loop {
        reserved.grow_to(bytes + LIST_BYTES)?;
        let organization = call.organization();
        let found = call.store().list_with_hidden::<EventType>(organization, scan.clone()).await?;
        bytes += found.items.iter().map(Weight::weight).sum::<usize>();
        event_types.extend(found.items);
        if bytes > limit.bytes {
            return Err(ApiError::TooLarge { what: "export", limit });
        }
        if event_types.len() > MAX_EVENT_TYPES {
            let detail = format!("there are more than {MAX_EVENT_TYPES} event types; list them");
            return Err(ApiError::Bad { code: "too_many", detail });
        }
        let Some(after) = found.resume else { return Ok(event_types) };
        scan.after = Some(after);
    }
}

/// Refuses an import of too many event types.
pub(in crate::operations) fn check_count(count: usize, place: &[&str]) -> Result<(), ApiError> {
    if count <= MAX_EVENT_TYPES {
        return Ok(());
    }
    Err(ApiError::invalid(place, format!("has more than {MAX_EVENT_TYPES} event types")))
}

/// Creates or replaces the event types, and returns the names of those that were not the same
/// already. `place` is their location in the request.
pub(in crate::operations) async fn save(
    call: &Call,
    event_types: &[EventType],
    place: &[&str],
) -> Result<Vec<EventTypeName>, ApiError> {
    let mut changed = Vec::new();
    for event_type in event_types {
        if race::retry(|| save_one(call, event_type, place)).await? {
            changed.push(event_type.name.clone());
        }
    }
    Ok(changed)
}

async fn save_one(call: &Call, new: &EventType, place: &[&str]) -> Result<bool, ApiError> {
    let _lock = call.locks().event_types().await;
    let key = IdOrUid::Id(new.name.clone());
    let old = call.store().get_versioned::<EventType>(call.organization(), &key).await?;
    let Some((old, version)) = old else {
        super::save(call, new.clone(), Expected::New, place).await?;
        return Ok(true);
    };
    if !differs(&old, new) {
        return Ok(false);
    }
    let event_type = EventType {
        managed_by: old.managed_by,
        created_at: old.created_at,
        schema_validation: new.schema_validation.or(old.schema_validation),
        ..new.clone()
    };
    super::save(call, event_type, Expected::Version(version), place).await?;
    Ok(true)
}

/// Whether saving the new event type would change anything but times.
pub(super) fn differs(old: &EventType, new: &EventType) -> bool {
    let same = EventType {
        managed_by: old.managed_by.clone(),
        created_at: old.created_at,
        updated_at: old.updated_at,
        schemas: old.schemas.clone(),
        schema_validation: new.schema_validation.or(old.schema_validation),
        ..new.clone()
    };
    same != *old || parsed(old) != parsed(new)
}

fn parsed(event_type: &EventType) -> Option<serde_json::Value> {
    event_type.schemas.as_deref().and_then(|it| serde_json::from_str(it).ok())
}
